#pragma once

#include "ollama_proxy/access/gate.hpp"
#include "ollama_proxy/codec/request_scan.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace ollama_proxy::http {

using access::Permission;

/// What answers a request.
enum class Handler : std::uint8_t {
    inference,           ///< routed to a backend; `api` says as what
    management,          ///< pull, push, create, copy, delete: passed to one backend
    blob,                ///< HEAD/POST /api/blobs/*: passed on as it streams
    websocket,           ///< GET /v1/stream/ws
    root,                ///< GET /: "Ollama is running"
    health,              ///< GET /health
    alive,               ///< GET /healthz
    ready,               ///< GET /readyz
    backends,            ///< GET /backends
    thermal,             ///< GET /thermal: heat, fans and every sensor
    efficiency,          ///< GET /efficiency: the mode and why it applies
    set_efficiency,      ///< POST /efficiency
    efficiency_history,  ///< GET /efficiency/history
    metrics,             ///< GET /metrics
    explain,             ///< POST /explain: the decision, without acting upon it
    models,              ///< GET /v1/models
    model,               ///< GET /v1/models/{id}
    tags,                ///< GET /api/tags
    running,             ///< GET /api/ps
    version,             ///< GET /api/version
};

/// Verbs as bits, so that a path can answer 405 with its list.
enum Verb : std::uint8_t {
    kNoVerb = 0,
    kGet = 1,
    kHead = 2,
    kPost = 4,
    kDelete = 8,
    kOptions = 16,
};
[[nodiscard]] Verb parse_verb(std::string_view method);
/// "GET, HEAD"
[[nodiscard]] std::string allow_list(std::uint8_t verbs);

struct Route {
    std::string_view path;  ///< ends with '/' and `is_prefix`: what follows is an argument
    bool is_prefix;
    std::uint8_t verbs;
    Handler handler;
    Permission permission;
    codec::Api api;  ///< inference only
};

/// Letters, digits, ':', '-', '_': nothing with which a blob's name could leave its folder on a
/// backend that tidies up paths.
[[nodiscard]] bool is_blob_name(std::string_view name);

/// The route of a path (without query), or nullptr. Where a path has a row for each of its verbs,
/// the one that serves `verb`, or the first.
[[nodiscard]] const Route* find_route(std::string_view path, Verb verb = kNoVerb);

/// All verbs that a path answers.
[[nodiscard]] std::uint8_t verbs_of(std::string_view path);

/// Its place in the table of routes.
[[nodiscard]] std::size_t route_number(const Route& route);

}  // namespace ollama_proxy::http
