#pragma once

#include "ollama_proxy/codec/error_body.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/router/router.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::http {

/// An answer that the proxy makes itself.
struct Reply {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::string fields;  ///< further header lines, CRLF each
};

[[nodiscard]] Reply json_reply(int status, std::string body);
[[nodiscard]] Reply text_reply(int status, std::string body);
/// The error in the dialect, with Retry-After and WWW-Authenticate where they belong.
[[nodiscard]] Reply error_reply(codec::ErrorDialect dialect, const Error& error);

/// "OK", "Not Found"; the status itself for unusual ones.
[[nodiscard]] std::string_view reason_phrase(int status);

/// What every reply carries, decided once per request.
struct CommonFields {
    std::string_view request_id;  ///< of the request that is being answered
    std::string origin;           ///< allowed origin to echo, else empty
};
/// X-Request-ID, CORS, Vary, nosniff: header lines.
void append_common(std::string& out, const CommonFields& common);

/// X-Backend-Used and the others, where a decision was made.
void append_routing(std::string& out, const router::RouteInfo& info);

/// `Content-Length`.
void append_length(std::string& out, std::uint64_t bytes);

/// `X-Energy-Joules`, where something is known of it.
void append_energy(std::string& out, const std::optional<monitors::EnergyCharge>& charge);

/// The fixed answers to a preflight: which methods, and every header that was asked for.
void append_preflight(std::string& out, std::string_view allow, std::string_view asked_headers,
                      bool private_network);

/// `Date: ...`, formatted once a second and thread.
void append_date(std::string& out);

/// True when a block of header lines has that field.
[[nodiscard]] bool has_field(std::string_view fields, std::string_view name);

}  // namespace ollama_proxy::http
