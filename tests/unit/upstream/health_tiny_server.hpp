#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ollama_proxy::upstream {

/// A model server of a few canned answers on a free loopback port, on the test's io_context.
class TinyServer {
  public:
    using tcp = boost::asio::ip::tcp;

    explicit TinyServer(boost::asio::io_context& context) : state_(std::make_shared<State>()) {
        state_->context = &context;
        open();
        port_ = state_->acceptor->local_endpoint().port();
    }
    ~TinyServer() { close(); }
    TinyServer(const TinyServer&) = delete;
    TinyServer& operator=(const TinyServer&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] int hits(const std::string& path) const {
        const auto found = state_->hits.find(path);
        return found == state_->hits.end() ? 0 : found->second;
    }
    void answer(const std::string& path, int status, std::string body) {
        state_->answers[path] = {status, std::move(body)};
    }
    /// Answers to this path wait until `release()`.
    void hold(const std::string& path) { state_->held_path = path; }
    void release() {
        state_->held_path.clear();
        for (auto& reply : std::exchange(state_->held, {})) reply();
    }

    /// From now on connections are refused; `open()` listens on the same port again.
    void close() { state_->acceptor.reset(); }
    void open() {
        state_->acceptor.emplace(*state_->context,
                                 tcp::endpoint(boost::asio::ip::address_v4::loopback(), port_));
        State::accept(state_);
    }

  private:
    struct Session {
        explicit Session(tcp::socket s) : socket(std::move(s)) {}
        tcp::socket socket;
        std::string in;
        std::string out;
    };
    struct State {
        boost::asio::io_context* context = nullptr;
        std::optional<tcp::acceptor> acceptor;
        std::map<std::string, int> hits;
        std::map<std::string, std::pair<int, std::string>> answers;
        std::string held_path;
        std::vector<std::function<void()>> held;

        static void accept(const std::shared_ptr<State>& self) {
            self->acceptor->async_accept([self](auto error, tcp::socket socket) {
                if (error) return;
                read(self, std::make_shared<Session>(std::move(socket)));
                if (self->acceptor) accept(self);
            });
        }
        static void read(const std::shared_ptr<State>& self,
                         const std::shared_ptr<Session>& session) {
            boost::asio::async_read_until(
                session->socket, boost::asio::dynamic_buffer(session->in), "\r\n\r\n",
                [self, session](auto error, std::size_t) {
                    if (error) return;
                    const auto begin = session->in.find(' ') + 1;
                    const auto path =
                        session->in.substr(begin, session->in.find(' ', begin) - begin);
                    ++self->hits[path];
                    auto reply = [self, session, path] { write(*self, session, path); };
                    if (path == self->held_path) {
                        self->held.push_back(std::move(reply));
                    } else {
                        reply();
                    }
                });
        }
        static void write(State& self, const std::shared_ptr<Session>& session,
                          const std::string& path) {
            const auto found = self.answers.find(path);
            const auto& [status, body] = found == self.answers.end()
                                             ? std::pair<int, std::string>{404, "{}"}
                                             : found->second;
            session->out = "HTTP/1.1 " + std::to_string(status) +
                           " X\r\nContent-Length: " + std::to_string(body.size()) +
                           "\r\nConnection: close\r\n\r\n" + body;
            boost::asio::async_write(session->socket, boost::asio::buffer(session->out),
                                     [session](auto, std::size_t) {});
        }
    };

    std::shared_ptr<State> state_;
    std::uint16_t port_ = 0;
};

}  // namespace ollama_proxy::upstream
