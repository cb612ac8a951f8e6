#include "ollama_proxy/runtime/until_disconnect.hpp"

namespace ollama_proxy::runtime::detail {

ArmedWatch::ArmedWatch(DisconnectWatch& watch, boost::asio::cancellation_signal& own)
    : watch_(watch) {
    watch_.arm(
        [](void* signal) {
            static_cast<boost::asio::cancellation_signal*>(signal)->emit(
                boost::asio::cancellation_type::total);
        },
        &own);
}

}  // namespace ollama_proxy::runtime::detail
