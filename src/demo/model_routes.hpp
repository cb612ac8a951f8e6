#pragma once

#include "demo/reply.hpp"
#include "demo/state.hpp"

#include <boost/asio/awaitable.hpp>

#include <string_view>

namespace ollama_proxy::demo {

// Routes that list and manage models. `rest` is what follows the route's prefix in the path.

[[nodiscard]] Reply get_root(State&, const Request&, std::string_view rest);
[[nodiscard]] Reply get_tags(State&, const Request&, std::string_view rest);
[[nodiscard]] Reply get_ps(State&, const Request&, std::string_view rest);
[[nodiscard]] Reply get_version(State&, const Request&, std::string_view rest);
[[nodiscard]] Reply post_show(State&, const Request&, std::string_view rest);
[[nodiscard]] Reply post_copy(State&, const Request&, std::string_view rest);
[[nodiscard]] Reply delete_model(State&, const Request&, std::string_view rest);
[[nodiscard]] Reply head_blob(State&, const Request&, std::string_view rest);
[[nodiscard]] Reply get_openai_models(State&, const Request&, std::string_view rest);
[[nodiscard]] Reply get_openai_model(State&, const Request&, std::string_view rest);
[[nodiscard]] Reply count_tokens(State&, const Request&, std::string_view rest);

/// Pull, push and create: a stream of progress lines.
enum class Transfer { pull, push, create };
boost::asio::awaitable<bool> transfer(State& state, Connection& connection, const Request& request,
                                      Transfer kind);

}  // namespace ollama_proxy::demo
