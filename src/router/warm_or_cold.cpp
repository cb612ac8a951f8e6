#include "router/warm_or_cold.hpp"

#include "router/scorers.hpp"

namespace ollama_proxy::router {

bool waiting_beats_loading(const Standing& cold, const Standing& warm,
                           std::optional<Clock::duration> expected, Clock::duration waited) {
    if (!cold.facts.cold || !cold.facts.load_ms || !warm.facts.warm) return false;
    if (!expected || waited > *expected * 2) return false;
    if (total(warm.candidate, Scorer::load) <= total(cold.candidate, Scorer::load)) return false;
    return warm.facts.latency_ms + to_ms(*expected) < cold.facts.latency_ms;
}

}  // namespace ollama_proxy::router
