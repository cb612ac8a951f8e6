#pragma once

#include <boost/system/result.hpp>

#include <string>
#include <utility>

namespace ollama_proxy {

/// What went wrong, in the words of the wire contract. Adaptors map each to their own form.
enum class Errc {
    invalid_request,        ///< body or header of the client does not parse or lacks a field
    invalid_framing,        ///< HTTP/1 framing that a proxy must refuse; the connection closes
    forbidden_host,         ///< Host is not one of ours (DNS rebinding)
    forbidden_origin,       ///< browser origin that is not allowed
    request_timeout,        ///< head or body of the request came too slowly
    uri_too_long,           ///< request target over the limit
    header_too_large,       ///< head over the byte or field limit
    unsupported_encoding,   ///< Content-Encoding other than identity
    not_supported,          ///< no backend has the route
    request_too_large,      ///< body over the limit
    invalid_api_key,        ///< no key, or an unknown one
    permission_denied,      ///< key known, permission missing
    backend_not_found,      ///< X-Target-Backend names no configured backend
    model_not_found,        ///< no enabled backend has or may load the model
    route_not_found,        ///< path unknown
    method_not_allowed,     ///< path known, verb not
    queue_full,             ///< admission queue at its bound
    rate_limited,           ///< client over its rate
    queue_timeout,          ///< waited too long for a slot, or the deadline passed there
    no_available_backends,  ///< none healthy, or limits exclude all
    overloaded,             ///< byte budget or connection limit reached
    shutting_down,          ///< the daemon is stopping
    bad_gateway,            ///< backend broke the protocol or closed before its head
    upstream_timeout,       ///< no first byte in time
    upstream_stalled,       ///< silence in the middle of a stream
    upstream_refused,       ///< connect failed: nothing was sent
    cancelled,              ///< the client went away, or asked to cancel
    internal,               ///< a defect of ours
    config,                 ///< configuration cannot be used
    io,                     ///< file or socket of ours failed
};

/// An error as a value: `message` is a sentence for the user that says what to do,
/// `param` names the field or header at fault (empty if none).
struct Error {
    Errc code = Errc::internal;
    std::string message;
    std::string param;
    int retry_after_s = 0;  ///< > 0: what `Retry-After` should say
};

template <class T>
using Result = boost::system::result<T, Error>;

[[nodiscard]] inline Error make_error(Errc code, std::string message, std::string param = {}) {
    return Error{code, std::move(message), std::move(param), 0};
}

/// Lets `Result<T>::value()` throw: used at start-up only.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location&);

}  // namespace ollama_proxy
