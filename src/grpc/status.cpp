#include "grpc/status.hpp"

#include "ollama_proxy/codec/error_body.hpp"

namespace ollama_proxy::grpc_api {
namespace {

constexpr std::size_t kMaxText = 2048;
constexpr std::string_view kCut = " ...";
constexpr Milliseconds kEarly{20};

}  // namespace

bool ended_by_deadline(Errc code, TimePoint now, TimePoint deadline) {
    return deadline - now <= (code == Errc::cancelled ? kEarly : Milliseconds(0));
}

std::string status_text(std::string message) {
    if (message.size() <= kMaxText) return message;
    std::size_t size = kMaxText - kCut.size();
    while (size > 0 && (static_cast<unsigned char>(message[size]) & 0xc0) == 0x80) --size;
    message.resize(size);
    message += kCut;
    return message;
}

int retry_after_s(const Error& error) {
    if (error.retry_after_s > 0) return error.retry_after_s;
    const int status = codec::status_of(error.code);
    return status == 429 || status == 503 ? 1 : 0;
}

StatusCode status_code(Errc code, bool deadline_passed) {
    switch (code) {
        case Errc::invalid_request:
        case Errc::invalid_framing:
        case Errc::backend_not_found:
        case Errc::unsupported_encoding:
        case Errc::uri_too_long:
            return StatusCode::invalid_argument;
        case Errc::forbidden_host:
        case Errc::forbidden_origin:
        case Errc::permission_denied:
            return StatusCode::permission_denied;
        case Errc::invalid_api_key:
            return StatusCode::unauthenticated;
        case Errc::model_not_found:
        case Errc::route_not_found:
            return StatusCode::not_found;
        case Errc::queue_full:
        case Errc::rate_limited:
        case Errc::request_too_large:
        case Errc::header_too_large:
            return StatusCode::resource_exhausted;
        case Errc::not_supported:
        case Errc::method_not_allowed:
            return StatusCode::unimplemented;
        case Errc::queue_timeout:
        case Errc::upstream_timeout:
            return deadline_passed ? StatusCode::deadline_exceeded : StatusCode::unavailable;
        case Errc::no_available_backends:
        case Errc::overloaded:
        case Errc::shutting_down:
        case Errc::upstream_stalled:
        case Errc::request_timeout:
            return StatusCode::unavailable;
        case Errc::cancelled:
            return deadline_passed ? StatusCode::deadline_exceeded : StatusCode::cancelled;
        case Errc::bad_gateway:
        case Errc::upstream_refused:
        case Errc::internal:
        case Errc::config:
        case Errc::io:
            break;
    }
    return StatusCode::internal;
}

std::string_view name_of(StatusCode code) {
    switch (code) {
        case StatusCode::ok:
            return "OK";
        case StatusCode::cancelled:
            return "CANCELLED";
        case StatusCode::invalid_argument:
            return "INVALID_ARGUMENT";
        case StatusCode::deadline_exceeded:
            return "DEADLINE_EXCEEDED";
        case StatusCode::not_found:
            return "NOT_FOUND";
        case StatusCode::permission_denied:
            return "PERMISSION_DENIED";
        case StatusCode::resource_exhausted:
            return "RESOURCE_EXHAUSTED";
        case StatusCode::unimplemented:
            return "UNIMPLEMENTED";
        case StatusCode::internal:
            return "INTERNAL";
        case StatusCode::unavailable:
            return "UNAVAILABLE";
        case StatusCode::unauthenticated:
            return "UNAUTHENTICATED";
    }
    return "UNKNOWN";
}

}  // namespace ollama_proxy::grpc_api
