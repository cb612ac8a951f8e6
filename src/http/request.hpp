#pragma once

#include "http/routes.hpp"
#include "ollama_proxy/codec/error_body.hpp"
#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/common/clock.hpp"

#include <cstdint>
#include <string>

namespace ollama_proxy::http {

/// A request head in owned values: the connection's buffer moves on while it is answered.
struct Request {
    std::string method;
    std::string path;   ///< as sent, without query
    std::string query;  ///< without '?'
    Verb verb = kNoVerb;
    const Route* route = nullptr;
    codec::ErrorDialect dialect = codec::ErrorDialect::openai;
    int minor_version = 1;
    bool keep_alive = true;
    bool expect_continue = false;
    codec::Framing framing = codec::Framing::none;
    std::uint64_t content_length = 0;

    std::string host;
    std::string origin;
    bool has_origin = false;
    std::string sec_fetch_site;
    std::string content_encoding;  ///< empty: the body is as it is
    std::string authorization;
    std::string api_key;           ///< x-api-key
    std::string asked_headers;     ///< Access-Control-Request-Headers
    bool private_network = false;  ///< Access-Control-Request-Private-Network
    std::string request_id;
    TimePoint received{};

    bool operator==(const Request&) const = default;
    [[nodiscard]] bool has_body() const {
        return framing == codec::Framing::chunked ||
               (framing == codec::Framing::length && content_length > 0);
    }
};

/// Copies what is needed out of a parsed head and finds the route. Chooses a request id where the
/// client gave none or an unfit one. Pure but for that. All of `request` is written anew; only its
/// memory is used again, by one request of a connection after the other.
void read_request(const codec::RequestHead& head, TimePoint received, Request& request);

}  // namespace ollama_proxy::http
