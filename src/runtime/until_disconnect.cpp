#include "ollama_proxy/runtime/until_disconnect.hpp"

#include "ollama_proxy/runtime/until_cancelled.hpp"

namespace ollama_proxy::runtime::detail {
namespace asio = boost::asio;
namespace {

struct Disarm {
    DisconnectWatch& watch;
    ~Disarm() { watch.disarm(); }
};

}  // namespace

asio::awaitable<void> run_watched(DisconnectWatch& watch, asio::awaitable<void> operation) {
    asio::cancellation_signal signal;
    watch.arm(
        [](void* to) {
            static_cast<asio::cancellation_signal*>(to)->emit(asio::cancellation_type::total);
        },
        &signal);
    Disarm disarm{watch};
    const std::exception_ptr failure = co_await run_under(signal, std::move(operation));
    if (failure && !watch.gone()) std::rethrow_exception(failure);
}

}  // namespace ollama_proxy::runtime::detail
