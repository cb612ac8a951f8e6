#pragma once

#include "ollama_proxy/runtime/deadline.hpp"
#include "ollama_proxy/runtime/spare_buffers.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

namespace ollama_proxy::runtime {

/// One thread with its own io_context. Everything that belongs to it runs on it alone.
class Worker {
  public:
    explicit Worker(std::size_t index);

    [[nodiscard]] std::size_t index() const { return index_; }
    [[nodiscard]] boost::asio::io_context& context() { return context_; }
    [[nodiscard]] boost::asio::io_context::executor_type executor() {
        return context_.get_executor();
    }
    [[nodiscard]] DeadlineQueue& deadlines() { return deadlines_; }
    /// 64 KiB that a read may use until its next co_await: idle streams own no read buffer.
    [[nodiscard]] char* scratch() { return scratch_.get(); }
    static constexpr std::size_t kScratchSize = 64 * 1024;
    [[nodiscard]] SpareBuffers& spare_buffers() { return spare_buffers_; }

    /// The worker whose thread this is, or nullptr on other threads.
    [[nodiscard]] static Worker* current();

  private:
    friend class WorkerPool;
    void run();

    std::size_t index_;
    /// Its sockets and timers are made, used and closed by its own thread alone: the sockets need
    /// no lock. Who is elsewhere posts.
    boost::asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    DeadlineQueue deadlines_;
    std::unique_ptr<char[]> scratch_;
    SpareBuffers spare_buffers_;
    std::thread thread_;
};

/// A fixed number of workers. Constructed idle; `start()` begins the threads, `stop()` lets each
/// finish what is posted and joins. Thread: start and stop from one thread, the rest from any.
class WorkerPool {
  public:
    explicit WorkerPool(std::size_t workers);
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    void start();
    /// Drops the work guards and joins: returns when every worker ran out of work.
    void stop();

    [[nodiscard]] std::size_t size() const { return workers_.size(); }
    [[nodiscard]] Worker& worker(std::size_t index) { return *workers_[index]; }

  private:
    std::vector<std::unique_ptr<Worker>> workers_;
    bool running_ = false;
};

}  // namespace ollama_proxy::runtime
