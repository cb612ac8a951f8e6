#pragma once

#include <ctime>
#include <string_view>

namespace ollama_proxy::router {

/// What a backend's `Retry-After` asks for, in whole seconds of 1..60: a number of seconds or an
/// HTTP date (`now` is the wall clock). Garbage, and nothing, count as one second: somebody is
/// busy. Pure.
[[nodiscard]] int retry_after_seconds(std::string_view value, std::time_t now);

}  // namespace ollama_proxy::router
