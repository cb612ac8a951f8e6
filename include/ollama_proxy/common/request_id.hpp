#pragma once

#include <string>
#include <string_view>

namespace ollama_proxy {

/// 1..128 visible ASCII characters: what a client may choose as `X-Request-ID`.
[[nodiscard]] bool is_valid_request_id(std::string_view id);

/// A fresh id, `req-` and 20 characters; unique in this process and unlikely to repeat in others.
/// Any thread.
[[nodiscard]] std::string make_request_id();
/// The same, in memory that is there already.
void make_request_id(std::string& id);

}  // namespace ollama_proxy
