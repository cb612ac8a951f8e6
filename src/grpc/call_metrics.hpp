#pragma once

#include "grpc/status.hpp"

#include <string_view>

namespace ollama_proxy::grpc_api {

// What is counted of each call of a method of ours; any thread.

/// A call that has ended: its method ("/package.Service/Name"), status and time.
void count_call(std::string_view method, StatusCode status, double seconds);

/// A call that was refused before the router had it.
void count_refusal(Errc code);

}  // namespace ollama_proxy::grpc_api
