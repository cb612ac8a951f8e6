#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/common/error.hpp"

#include <string>
#include <string_view>

namespace ollama_proxy::grpc_api {

/// gRPC's status codes, with its numbers: kept apart from the library's header, which is dear.
enum class StatusCode {
    ok = 0,
    cancelled = 1,
    invalid_argument = 3,
    deadline_exceeded = 4,
    not_found = 5,
    permission_denied = 7,
    resource_exhausted = 8,
    unimplemented = 12,
    internal = 13,
    unavailable = 14,
    unauthenticated = 16,
};

/// Whether it was the client's deadline that ended a call with this error now. The client, who
/// keeps it too, may notice and cancel a moment earlier.
[[nodiscard]] bool ended_by_deadline(Errc code, TimePoint now, TimePoint deadline);

/// The status of an error (wire contract, section 4). `deadline_passed`: the client's own.
[[nodiscard]] StatusCode status_code(Errc code, bool deadline_passed);

/// The sentence that goes with a status, cut where clients would not take it: what they take of
/// metadata behind an answer is 8 KiB in all, and each byte may need three there.
[[nodiscard]] std::string status_text(std::string message);

/// Seconds after which trying again makes sense, as HTTP says them; 0: it does not.
[[nodiscard]] int retry_after_s(const Error& error);

/// As the specification writes it, "NOT_FOUND".
[[nodiscard]] std::string_view name_of(StatusCode code);

}  // namespace ollama_proxy::grpc_api
