#pragma once

#include "http/shared.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/runtime/worker_pool.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ollama_proxy::http {

/// The addresses that a configured host stands for; `localhost` and 127.0.0.1 are both loopbacks,
/// the second of which is not essential.
[[nodiscard]] std::vector<boost::asio::ip::tcp::endpoint> listen_endpoints(const std::string& host,
                                                                           std::uint16_t port);

/// One listening socket. Accepts on the control thread and hands each connection to a worker for
/// life. Out of descriptors, a reserved one is given up to tell the client 503; then it rests for
/// a moment instead of spinning. Thread: control's only.
class Listener : public std::enable_shared_from_this<Listener> {
  public:
    using tcp = boost::asio::ip::tcp;
    using OnAccept = std::function<void(tcp::socket, std::size_t worker)>;

    /// Binds and listens; the error is a sentence that names the port and what to do.
    static Result<std::shared_ptr<Listener>> open(boost::asio::io_context& control,
                                                  const tcp::endpoint& endpoint);
    ~Listener();

    [[nodiscard]] tcp::endpoint endpoint() const { return endpoint_; }
    void start(Shared& shared, runtime::WorkerPool& workers, OnAccept on_accept);
    void stop();

  private:
    explicit Listener(boost::asio::io_context& control);
    void accept();
    void refuse_waiting();
    void rest();

    tcp::acceptor acceptor_;
    boost::asio::steady_timer timer_;
    tcp::endpoint endpoint_;
    OnAccept on_accept_;
    Shared* shared_ = nullptr;
    runtime::WorkerPool* workers_ = nullptr;
    std::size_t next_worker_ = 0;
    int reserve_ = -1;
    bool stopped_ = false;
};

}  // namespace ollama_proxy::http
