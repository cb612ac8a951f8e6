#pragma once

#include "ollama_proxy/codec/generation.hpp"
#include "ollama_proxy/codec/request_scan.hpp"
#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/common/error.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::router {

enum class Priority : std::uint8_t {
    best_effort = 0,  ///< batch work: last in the queue, cheapest hardware
    normal = 1,       ///< the default
    high = 2,         ///< served before normal
    critical = 3,     ///< voice and realtime: fastest hardware, may overcommit a slot
};
inline constexpr std::size_t kPriorities = 4;
[[nodiscard]] std::string_view to_string(Priority priority);                  ///< "best-effort"...
[[nodiscard]] std::optional<Priority> parse_priority(std::string_view text);  ///< words or 0-3

enum class MediaType : std::uint8_t {
    none,
    realtime,
    audio,
    code,
    image,
    text,
    batch,
    interactive
};
[[nodiscard]] std::optional<MediaType> parse_media_type(std::string_view text);

/// What the client asked of the routing, from headers, WebSocket fields or gRPC annotations.
struct RoutingHints {
    std::string target;  ///< backend id, empty = none
    bool latency_critical = false;
    bool power_efficient = false;
    std::optional<int> max_latency_ms;
    std::optional<double> max_power_watts;
    Priority priority = Priority::normal;
    MediaType media_type = MediaType::none;
    std::string session_id;
};

/// One inference request as the router takes it: the body as the client wrote it, or one that the
/// proxy wrote for a client of another protocol (`written_request`).
struct InferenceRequest {
    codec::Api api = codec::Api::chat_completions;
    std::string body;
    codec::RequestScan scan;
    RoutingHints hints;
    std::string fields;         ///< header lines for the backend, CRLF each, from the allow-list
    std::string authorization;  ///< the client's, used only where a backend is configured for it

    /// Written by the proxy: what an ollama backend is sent instead of `api` and `body`, because
    /// only the choice of the backend decides which of the two is due.
    std::optional<codec::WrittenBody> for_ollama;
};

/// A request that the proxy writes itself (WebSocket, gRPC), in both forms. Hints, authorization
/// and further header lines are the caller's to add. Errors: invalid_request.
[[nodiscard]] Result<InferenceRequest> written_request(const codec::GenerationRequest& wanted);
[[nodiscard]] Result<InferenceRequest> written_request(const codec::EmbeddingsRequest& wanted);

/// Who asks, since when and until when.
struct RequestContext {
    std::string client;  ///< API key name, else peer address
    TimePoint received{};
    TimePoint deadline = kNever;
};

}  // namespace ollama_proxy::router
