#pragma once

#include "ollama_proxy.pb.h"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/efficiency/state.hpp"
#include "ollama_proxy/router/request.hpp"
#include "ollama_proxy/router/router.hpp"
#include "ollama_proxy/router/status_view.hpp"

namespace ollama_proxy::grpc_api {

// From the daemon's values to messages and back. Pure.

void fill(Backend& out, const router::BackendView& view);
void fill(ListBackendsResponse& out, const router::StatusView& view);
void fill(HealthCheckResponse& out, const router::StatusView& view);
void fill(ListModelsResponse& out, const router::ModelsView& view);
void fill(EfficiencyState& out, const efficiency::State& state);
void fill(SystemState& out, const efficiency::State& state, const router::StatusView& view);
void fill(Routing& out, const router::RouteInfo& info);
void fill(RoutingDecision& out, const router::LastDecision& decision);

/// What a client asks of the routing. A `target` that is a hardware word becomes the id of a
/// backend of that hardware, one that can serve if there is one.
/// Errors: invalid_request with `param` naming the field.
[[nodiscard]] Result<router::RoutingHints> read_hints(const Annotations& annotations,
                                                      const router::StatusView& view);

}  // namespace ollama_proxy::grpc_api
