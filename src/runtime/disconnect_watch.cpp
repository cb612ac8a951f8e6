#include "ollama_proxy/runtime/disconnect_watch.hpp"

#include "ollama_proxy/common/clock.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace ollama_proxy::runtime {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {
constexpr std::chrono::milliseconds kDelay{5};
}

struct DisconnectWatch::State : std::enable_shared_from_this<State> {
    State(tcp::socket& s, std::string& b, std::size_t l) : socket(s), buffer(b), limit(l) {}

    void wait();
    void wait_beside_full_buffer();
    void on_readable();
    void leave();

    tcp::socket& socket;
    std::string& buffer;
    std::size_t limit;
    asio::cancellation_signal cancel;
    std::unique_ptr<asio::steady_timer> timer;  ///< made only for a client that pipelines a lot
    Callback on_gone = nullptr;
    void* argument = nullptr;
    bool armed = false;
    bool waiting = false;
    bool gone = false;
};

void DisconnectWatch::State::wait() {
    if (buffer.size() >= limit) return wait_beside_full_buffer();
    waiting = true;
    socket.async_wait(
        tcp::socket::wait_read,
        asio::bind_cancellation_slot(cancel.slot(), [self = shared_from_this()](auto error) {
            self->waiting = false;
            if (!self->armed) return;
            // armed again before the old wait reported its cancellation: wait anew
            if (error == asio::error::operation_aborted) return self->wait();
            if (error) return self->leave();
            self->on_readable();
        }));
}

void DisconnectWatch::State::on_readable() {
    char bytes[4096];
    const std::size_t room = std::min(sizeof bytes, limit - buffer.size());
    const ssize_t n = ::recv(socket.native_handle(), bytes, room, MSG_DONTWAIT);
    if (n > 0) {
        buffer.append(bytes, static_cast<std::size_t>(n));
    } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        return leave();
    }
    wait();
}

void DisconnectWatch::State::wait_beside_full_buffer() {
    if (!timer) timer = std::make_unique<asio::steady_timer>(socket.get_executor());
    timer->expires_after(std::chrono::seconds(1));
    waiting = true;
    timer->async_wait([self = shared_from_this()](auto error) {
        self->waiting = false;
        if (!self->armed) return;
        if (error) return self->wait();
        tcp_info info{};
        socklen_t size = sizeof info;
        if (::getsockopt(self->socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
            info.tcpi_state != TCP_ESTABLISHED) {
            return self->leave();
        }
        self->wait();
    });
}

void DisconnectWatch::State::leave() {
    gone = true;
    armed = false;
    if (on_gone) on_gone(argument);
}

DisconnectWatch::DisconnectWatch(tcp::socket& socket, std::string& buffer, std::size_t limit,
                                 DeadlineQueue* deadlines)
    : state_(std::make_shared<State>(socket, buffer, limit)) {
    if (!deadlines) return;
    begin_.emplace(
        *deadlines,
        [](void* raw) {
            auto& state = *static_cast<State*>(raw);
            if (state.armed && !state.waiting) state.wait();
        },
        state_.get());
}

DisconnectWatch::~DisconnectWatch() { disarm(); }

void DisconnectWatch::arm(Callback on_gone, void* argument) {
    state_->on_gone = on_gone;
    state_->argument = argument;
    if (state_->gone) return on_gone(argument);
    state_->armed = true;
    if (state_->waiting) return;
    if (begin_) {
        begin_->expires_after(kDelay);
    } else {
        state_->wait();
    }
}

void DisconnectWatch::disarm() {
    state_->armed = false;
    if (begin_) begin_->disarm();
    if (!state_->waiting) return;
    state_->cancel.emit(asio::cancellation_type::all);
    if (state_->timer) state_->timer->cancel();
}

void DisconnectWatch::arm_again() { arm(state_->on_gone, state_->argument); }

bool DisconnectWatch::gone() const { return state_->gone; }

}  // namespace ollama_proxy::runtime
