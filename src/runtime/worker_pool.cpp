#include "ollama_proxy/runtime/worker_pool.hpp"

#include <boost/asio/post.hpp>

#include <pthread.h>
#include <string>

namespace ollama_proxy::runtime {
namespace {
thread_local Worker* current_worker = nullptr;
}

Worker::Worker(std::size_t index)
    : index_(index),
      work_(context_.get_executor()),
      deadlines_(context_),
      scratch_(new char[kScratchSize]) {}  // not zeroed: untouched pages stay unmapped

Worker* Worker::current() { return current_worker; }

void Worker::run() {
    current_worker = this;
    pthread_setname_np(pthread_self(), ("worker-" + std::to_string(index_)).c_str());
    context_.run();
    current_worker = nullptr;
}

WorkerPool::WorkerPool(std::size_t workers) {
    workers_.reserve(workers);
    for (std::size_t i = 0; i < workers; ++i) workers_.push_back(std::make_unique<Worker>(i));
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::start() {
    running_ = true;
    for (auto& worker : workers_) {
        worker->thread_ = std::thread([raw = worker.get()] { raw->run(); });
    }
}

void WorkerPool::stop() {
    if (!running_) return;
    running_ = false;
    for (auto& worker : workers_) {
        boost::asio::post(worker->context_, [raw = worker.get()] {
            raw->deadlines_.stop();
            raw->work_.reset();
        });
    }
    for (auto& worker : workers_) worker->thread_.join();
}

}  // namespace ollama_proxy::runtime
