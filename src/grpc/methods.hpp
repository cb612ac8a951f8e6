#pragma once

#include "grpc/call.hpp"

#include <span>

namespace ollama_proxy::grpc_api {

/// ollama_proxy.OllamaProxy
[[nodiscard]] std::span<const Method> proxy_methods();
/// grpc.health.v1.Health
[[nodiscard]] std::span<const Method> health_methods();

// ---- generation_methods.cpp, embeddings_method.cpp ----
boost::asio::awaitable<std::optional<Error>> generate(Call& call);
boost::asio::awaitable<std::optional<Error>> generate_stream(Call& call);
boost::asio::awaitable<std::optional<Error>> chat_completion(Call& call);
boost::asio::awaitable<std::optional<Error>> chat_completion_stream(Call& call);
boost::asio::awaitable<std::optional<Error>> embeddings(Call& call);
// ---- state_methods.cpp ----
boost::asio::awaitable<std::optional<Error>> list_models(Call& call);
boost::asio::awaitable<std::optional<Error>> list_backends(Call& call);
boost::asio::awaitable<std::optional<Error>> health_check(Call& call);
boost::asio::awaitable<std::optional<Error>> get_efficiency(Call& call);
boost::asio::awaitable<std::optional<Error>> set_efficiency(Call& call);
boost::asio::awaitable<std::optional<Error>> watch_state(Call& call);
// ---- health.cpp ----
boost::asio::awaitable<std::optional<Error>> check_serving(Call& call);
boost::asio::awaitable<std::optional<Error>> watch_serving(Call& call);

}  // namespace ollama_proxy::grpc_api
