#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/common/descriptor.hpp"
#include "ollama_proxy/common/error.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::runtime {

/// The addresses that a configured host stands for, none when it is no address. `localhost` and
/// 127.0.0.1 are both loopbacks, the second of which is not essential.
[[nodiscard]] std::vector<boost::asio::ip::tcp::endpoint> listen_endpoints(const std::string& host,
                                                                           std::uint16_t port);

/// What a listener's errors call the port: "server.http_port" and "--http-port".
struct PortName {
    std::string_view key;
    std::string_view option;
};

/// One listening socket, the same for every protocol. Out of descriptors, a reserved one is given
/// up to turn away those who wait; then it rests for a moment instead of spinning. Thread: the one
/// of the context it was opened on; the handlers are called there.
class Listener : public std::enable_shared_from_this<Listener> {
  public:
    using tcp = boost::asio::ip::tcp;
    struct Handlers {
        /// Takes a connection, which blocks nobody. False, and the socket still there: one too
        /// many. Not an Asio socket: that is made on the thread it will live on.
        std::function<bool(Descriptor& socket)> on_accept;
        /// The bytes for those who are turned away unread; empty: they are just closed.
        std::function<std::string()> busy_answer;
        /// So many were turned away because descriptors ran out.
        std::function<void(int)> on_refused;
    };

    /// Binds and listens; the error is a sentence that names the port and what to do.
    static Result<std::shared_ptr<Listener>> open(boost::asio::io_context& control,
                                                  const tcp::endpoint& endpoint,
                                                  const PortName& name);
    /// Goes on with a socket that listens already (handed over by a service manager).
    static Result<std::shared_ptr<Listener>> adopt(boost::asio::io_context& control, int fd);

    [[nodiscard]] tcp::endpoint endpoint() const { return endpoint_; }
    void start(Handlers handlers);
    void stop();

  private:
    explicit Listener(boost::asio::io_context& control);
    void wait();
    void accept_waiting();
    void refuse_waiting();
    void rest();
    void turn_away(int fd) const;

    tcp::acceptor acceptor_;
    boost::asio::steady_timer timer_;
    tcp::endpoint endpoint_;
    Handlers handlers_;
    Descriptor reserve_;
    bool stopped_ = false;
};

/// A listener for every address of `hosts`, all on one port (0: any that is free, then the same for
/// all). The other loopback comes along where it can: there may be no IPv6.
[[nodiscard]] Result<std::vector<std::shared_ptr<Listener>>> listen_on(
    boost::asio::io_context& control, const std::vector<std::string>& hosts, std::uint16_t port,
    const PortName& name);

/// The same for sockets that were handed over: they listen where their giver wanted.
[[nodiscard]] Result<std::vector<std::shared_ptr<Listener>>> adopt_all(
    boost::asio::io_context& control, const std::vector<int>& sockets);

}  // namespace ollama_proxy::runtime
