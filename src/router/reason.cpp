#include "ollama_proxy/common/ascii.hpp"
#include "ollama_proxy/router/decision.hpp"

namespace ollama_proxy::router {

std::string_view to_string(Scorer scorer) {
    switch (scorer) {
        case Scorer::latency:
            return "latency";
        case Scorer::power:
            return "power";
        case Scorer::load:
            return "load";
        case Scorer::hardware:
            return "hardware";
        case Scorer::thermal:
            return "thermal";
        case Scorer::warmth:
            return "warmth";
        case Scorer::affinity:
            return "affinity";
        case Scorer::error_rate:
            return "error_rate";
    }
    return "";
}

std::string_view to_string(Refusal refusal) {
    switch (refusal) {
        case Refusal::none:
            return "none";
        case Refusal::disabled:
            return "disabled";
        case Refusal::unhealthy:
            return "unhealthy";
        case Refusal::breaker_open:
            return "breaker_open";
        case Refusal::api_missing:
            return "api_missing";
        case Refusal::model_missing:
            return "model_missing";
        case Refusal::model_pattern:
            return "model_pattern";
        case Refusal::model_size:
            return "model_size";
        case Refusal::over_watts:
            return "over_watts";
        case Refusal::over_latency:
            return "over_latency";
        case Refusal::cloud_not_asked:
            return "cloud_not_asked";
        case Refusal::mode_hardware:
            return "mode_hardware";
        case Refusal::mode_budget:
            return "mode_budget";
        case Refusal::mode_fan:
            return "mode_fan";
        case Refusal::parked:
            return "parked";
        case Refusal::already_tried:
            return "already_tried";
        case Refusal::not_target:
            return "not_target";
    }
    return "";
}

namespace {

/// The modes' names in lower case, each there for good.
std::string_view lower_name(config::Mode mode) {
    using config::Mode;
    static const auto names = [] {
        std::array<std::string, 6> out;
        for (Mode each : {Mode::performance, Mode::balanced, Mode::efficiency, Mode::quiet,
                          Mode::automatic, Mode::ultra_efficiency}) {
            out.at(static_cast<std::size_t>(each)) = ascii_lower(config::to_string(each));
        }
        return out;
    }();
    return names.at(static_cast<std::size_t>(mode));
}

}  // namespace

std::string_view reason_text(Reason reason, config::Mode effective) {
    switch (reason) {
        case Reason::none:
            return "none";
        case Reason::explicit_target:
            return "explicit-target";
        case Reason::target_unavailable:
            return "target-unavailable";
        case Reason::latency_relaxed:
            return "latency-relaxed";
        case Reason::mode_relaxed:
            return "mode-relaxed";
        case Reason::thermal:
            return "thermal";
        case Reason::queue_depth:
            return "queue-depth";
        case Reason::critical_priority:
            return "critical-priority";
        case Reason::latency_critical:
            return "latency-critical";
        case Reason::power_efficient:
            return "power-efficient";
        case Reason::best_effort:
            return "best-effort";
        case Reason::mode_name:
            break;
    }
    return lower_name(effective);
}

}  // namespace ollama_proxy::router
