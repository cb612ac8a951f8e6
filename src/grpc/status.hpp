#pragma once

#include "ollama_proxy/common/error.hpp"

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

/// The status of an error (wire contract, section 4). `deadline_passed`: the client's own.
[[nodiscard]] StatusCode status_code(Errc code, bool deadline_passed);

/// As the specification writes it, "NOT_FOUND".
[[nodiscard]] std::string_view name_of(StatusCode code);

}  // namespace ollama_proxy::grpc_api
