#pragma once

#include "ollama_proxy/router/decision.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::router {

inline CandidateFacts backend(std::string_view id, config::Hardware hardware, double watts,
                              double latency_ms, int priority) {
    CandidateFacts facts;
    facts.id = id;
    facts.hardware = hardware;
    facts.watts = watts;
    facts.latency_ms = latency_ms;
    facts.priority = priority;
    facts.thermal_headroom_c = 40;
    return facts;
}

/// The four backends of the shipped configuration: healthy, idle, cool.
inline std::vector<CandidateFacts> reference_machine() {
    return {backend("ollama-npu", config::Hardware::npu, 3, 800, 3),
            backend("ollama-igpu", config::Hardware::igpu, 12, 400, 2),
            backend("ollama-nvidia", config::Hardware::nvidia, 55, 150, 1),
            backend("ollama-cpu", config::Hardware::cpu, 28, 2000, 0)};
}
enum : std::uint32_t { kNpu, kIgpu, kNvidia, kCpu };

inline Decision decide_for(const RoutingHints& hints, const std::vector<CandidateFacts>& facts,
                           const efficiency::Policy& policy, const DecisionSettings& settings = {},
                           std::optional<std::uint32_t> target = std::nullopt) {
    Decision out;
    decide(hints, facts, target, policy, settings, out);
    return out;
}

inline Decision decide_for(const RoutingHints& hints, const std::vector<CandidateFacts>& facts,
                           config::Mode mode = config::Mode::balanced,
                           const DecisionSettings& settings = {},
                           std::optional<std::uint32_t> target = std::nullopt) {
    return decide_for(hints, facts, efficiency::builtin_policy(mode), settings, target);
}

/// "ollama-igpu,ollama-npu", best first.
inline std::string ranking(const Decision& decision, const std::vector<CandidateFacts>& facts) {
    std::string text;
    for (const auto& one : decision.usable) {
        text.append(text.empty() ? "" : ",").append(facts[one.index].id);
    }
    return text;
}

inline std::string_view chosen(const Decision& decision, const std::vector<CandidateFacts>& facts) {
    return decision.usable.empty() ? "nobody" : facts[decision.usable.front().index].id;
}

/// The refusal of one backend; none when it is usable.
inline Refusal refusal_of(const Decision& decision, std::uint32_t index) {
    for (const auto& one : decision.refused) {
        if (one.index == index) return one.refusal;
    }
    return Refusal::none;
}

}  // namespace ollama_proxy::router
