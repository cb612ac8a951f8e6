#pragma once

#include "ollama_proxy/config/config.hpp"

#include <string>
#include <string_view>

namespace ollama_proxy::http {

/// `origin` where its pages may read our answers (`Access-Control-Allow-Origin`), else empty.
[[nodiscard]] std::string echoed_origin(std::string_view origin, const config::Server& server);

/// The Origin of a head that could not be read as a whole; empty when there is none, when there are
/// several, or when it is no origin.
[[nodiscard]] std::string_view origin_in(std::string_view bytes);

}  // namespace ollama_proxy::http
