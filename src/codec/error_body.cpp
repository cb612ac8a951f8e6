#include "ollama_proxy/codec/error_body.hpp"

#include <nlohmann/json.hpp>

namespace ollama_proxy::codec {
namespace {

struct Row {
    int status;
    std::string_view code;
};

Row row_of(Errc code) {
    switch (code) {
        case Errc::invalid_request:
        case Errc::invalid_framing:
            return {400, "invalid_request"};
        case Errc::forbidden_host:
            return {403, "forbidden_host"};
        case Errc::forbidden_origin:
            return {403, "forbidden_origin"};
        case Errc::request_timeout:
            return {408, "request_timeout"};
        case Errc::uri_too_long:
            return {414, "uri_too_long"};
        case Errc::header_too_large:
            return {431, "header_too_large"};
        case Errc::unsupported_encoding:
            return {415, "unsupported_encoding"};
        case Errc::not_supported:
            return {501, "not_supported"};
        case Errc::request_too_large:
            return {413, "request_too_large"};
        case Errc::invalid_api_key:
            return {401, "invalid_api_key"};
        case Errc::permission_denied:
            return {403, "permission_denied"};
        case Errc::backend_not_found:
            return {400, "backend_not_found"};
        case Errc::model_not_found:
            return {404, "model_not_found"};
        case Errc::route_not_found:
            return {404, "not_found"};
        case Errc::method_not_allowed:
            return {405, "method_not_allowed"};
        case Errc::queue_full:
            return {429, "queue_full"};
        case Errc::rate_limited:
            return {429, "rate_limited"};
        case Errc::queue_timeout:
            return {503, "queue_timeout"};
        case Errc::no_available_backends:
            return {503, "no_available_backends"};
        case Errc::overloaded:
            return {503, "overloaded"};
        case Errc::shutting_down:
            return {503, "shutting_down"};
        case Errc::bad_gateway:
        case Errc::upstream_refused:
            return {502, "bad_gateway"};
        case Errc::upstream_timeout:
            return {504, "upstream_timeout"};
        case Errc::upstream_stalled:
            return {504, "upstream_stalled"};
        case Errc::cancelled:
            return {499, "cancelled"};
        case Errc::internal:
        case Errc::config:
        case Errc::io:
            break;
    }
    return {500, "internal_error"};
}

nlohmann::ordered_json error_json(ErrorDialect dialect, const Error& error) {
    const Row row = row_of(error.code);
    nlohmann::ordered_json body;
    switch (dialect) {
        case ErrorDialect::openai: {
            auto& inner = body["error"];
            inner["message"] = error.message;
            inner["type"] = openai_error_type(row.status);
            inner["param"] = nullptr;
            if (!error.param.empty()) inner["param"] = error.param;
            inner["code"] = row.code;
            break;
        }
        case ErrorDialect::anthropic:
            body["type"] = "error";
            body["error"]["type"] = anthropic_error_type(row.status);
            body["error"]["message"] = error.message;
            break;
        case ErrorDialect::ollama:
            body["error"] = error.message;
            break;
    }
    return body;
}

/// The event whose data is `body`, which is one line.
std::string event_of(ErrorDialect dialect, const std::string& body) {
    switch (dialect) {
        case ErrorDialect::anthropic:
            return "event: error\ndata: " + body + "\n\n";
        case ErrorDialect::ollama:
            return body + "\n";
        case ErrorDialect::openai:
            break;
    }
    return "data: " + body + "\n\n";
}

}  // namespace

ErrorDialect error_dialect_of(Api api) { return error_dialect_of(path_of(api)); }

ErrorDialect error_dialect_of(std::string_view path) {
    constexpr std::string_view kMessages = "/v1/messages";
    if (path.starts_with(kMessages)) {
        const std::string_view rest = path.substr(kMessages.size());
        if (rest.empty() || rest.front() == '/' || rest.front() == '?') {
            return ErrorDialect::anthropic;
        }
    }
    return path.starts_with("/api/") ? ErrorDialect::ollama : ErrorDialect::openai;
}

std::string_view code_name(Errc code) { return row_of(code).code; }

int status_of(Errc code) { return row_of(code).status; }

std::string_view openai_error_type(int status) {
    switch (status) {
        case 401:
            return "authentication_error";
        case 403:
            return "permission_error";
        case 429:
            return "rate_limit_error";
        case 501:
            return "invalid_request_error";
        default:
            return status >= 500 ? "server_error" : "invalid_request_error";
    }
}

std::string_view anthropic_error_type(int status) {
    switch (status) {
        case 401:
            return "authentication_error";
        case 403:
            return "permission_error";
        case 404:
            return "not_found_error";
        case 413:
            return "request_too_large";
        case 429:
            return "rate_limit_error";
        case 501:
            return "invalid_request_error";
        case 503:
        case 529:
            return "overloaded_error";
        case 504:
            return "timeout_error";
        default:
            return status >= 500 ? "api_error" : "invalid_request_error";
    }
}

std::string error_body(ErrorDialect dialect, const Error& error) {
    return error_json(dialect, error)
        .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string error_event(ErrorDialect dialect, const Error& error) {
    return event_of(dialect, error_body(dialect, error));
}

std::optional<std::string> error_event_of(ErrorDialect dialect, std::string_view body) {
    const auto own = nlohmann::ordered_json::parse(body, nullptr, false);
    if (!own.is_object() || !own.contains("error")) return std::nullopt;
    if (dialect == ErrorDialect::anthropic && !own.contains("type")) return std::nullopt;
    return event_of(dialect,
                    own.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace ollama_proxy::codec
