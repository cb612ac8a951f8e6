#include "monitors/thermal_machine.hpp"

#include <algorithm>
#include <utility>

namespace ollama_proxy::monitors {
namespace {

constexpr double kHighBelowCrit = 10;
constexpr double kCriticalBelowCrit = 3;
constexpr int kHold = 3;
constexpr double kStep = 5;          ///< between states where the usual numbers do not fit
constexpr double kQuickRise = 1;     ///< degrees per reading
constexpr double kFanMustTurn = 85;  ///< a fan that stands still above this is a failure
constexpr std::chrono::seconds kCool{10};

}  // namespace

HeatLimits heat_limits(const config::Thermal& settings, std::optional<double> crit) {
    HeatLimits limits{settings.elevated, settings.high, settings.critical, settings.recovery, 1};
    if (settings.configured || !crit) return limits;
    limits.high = *crit - kHighBelowCrit;
    limits.critical = *crit - kCriticalBelowCrit;
    limits.elevated = std::min(limits.elevated, limits.high - kStep);
    limits.recovery = std::min(limits.recovery, limits.elevated - kStep);
    limits.hold = kHold;
    return limits;
}

ThermalState ThermalMachine::judge(const HeatInput& input, const HeatLimits& limits) {
    const double celsius = *input.celsius;
    Memory& memory = memory_[input.part];
    bool rises = false;
    if (input.fresh) {
        rises = memory.last && celsius > limits.recovery && celsius - *memory.last > kQuickRise;
        memory.last = celsius;
        memory.over_high = celsius >= limits.high ? memory.over_high + 1 : 0;
        memory.over_critical = celsius >= limits.critical ? memory.over_critical + 1 : 0;
    }
    if (memory.over_critical >= limits.hold) return ThermalState::critical;
    if (memory.over_high >= limits.hold) return ThermalState::high;
    if (celsius >= limits.elevated || rises) return ThermalState::elevated;
    return ThermalState::normal;
}

void ThermalMachine::raise(ThermalEventKind kind, std::optional<double> cpu_c,
                           std::optional<double> gpu_c, std::chrono::system_clock::time_point now) {
    facts_.last_event = ThermalEvent{kind, cpu_c, gpu_c, now};
    ++facts_.events;
}

ThermalFacts ThermalMachine::update(std::span<const HeatInput> inputs,
                                    const config::Thermal& settings, std::optional<double> cpu_c,
                                    std::optional<double> gpu_c,
                                    std::chrono::system_clock::time_point now) {
    facts_.hottest_c.reset();
    ThermalState now_state = ThermalState::normal;
    bool recovered = true;
    bool fan_stopped = false;
    for (const HeatInput& input : inputs) {
        if (!input.celsius) {
            memory_[input.part] = {};
            continue;
        }
        const HeatLimits limits = heat_limits(settings, input.crit);
        now_state = std::max(now_state, judge(input, limits));
        if (*input.celsius >= limits.recovery) recovered = false;
        if (input.fan_rpm && *input.fan_rpm == 0 && *input.celsius > kFanMustTurn) {
            fan_stopped = true;
        }
        facts_.hottest_c = std::max(facts_.hottest_c.value_or(*input.celsius), *input.celsius);
    }
    std::erase_if(memory_, [&](const auto& entry) {
        return std::ranges::none_of(
            inputs, [&](const HeatInput& input) { return input.part == entry.first; });
    });
    if (!facts_.hottest_c) {
        facts_.state.reset();
        facts_.fan_stopped = false;
        return facts_;
    }
    if (fan_stopped) now_state = ThermalState::critical;
    const bool was_stopped = std::exchange(facts_.fan_stopped, fan_stopped);
    const ThermalState before = facts_.state.value_or(ThermalState::normal);
    if (fan_stopped && !was_stopped) {
        raise(ThermalEventKind::fan_stopped, cpu_c, gpu_c, now);
    } else if (now_state > before) {
        static constexpr ThermalEventKind kKinds[] = {
            ThermalEventKind::recovery, ThermalEventKind::elevated, ThermalEventKind::high,
            ThermalEventKind::critical};
        raise(kKinds[static_cast<std::size_t>(now_state)], cpu_c, gpu_c, now);
    }
    const bool raised = facts_.last_event && facts_.last_event->kind != ThermalEventKind::recovery;
    if (recovered && now_state == ThermalState::normal) {
        if (raised) raise(ThermalEventKind::recovery, cpu_c, gpu_c, now);
        facts_.state = ThermalState::normal;
    } else {
        facts_.state = std::max(before, now_state);
    }
    return facts_;
}

bool ThrottleMark::update(std::optional<double> celsius, double limit, double recovery,
                          bool slows_down, TimePoint now) {
    if (slows_down || (celsius && *celsius > limit)) {
        marked_ = true;
        under_since_.reset();
        return true;
    }
    if (!marked_) return false;
    if (celsius && *celsius >= recovery) {
        under_since_.reset();
        return true;
    }
    if (!under_since_) under_since_ = now;
    if (now - *under_since_ >= kCool) {
        marked_ = false;
        under_since_.reset();
    }
    return marked_;
}

}  // namespace ollama_proxy::monitors
