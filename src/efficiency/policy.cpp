#include "ollama_proxy/efficiency/policy.hpp"

#include <algorithm>

namespace ollama_proxy::efficiency {

namespace {

using config::Hardware;
using config::Mode;

constexpr HardwareOrder order_of(std::initializer_list<Hardware> best_first) {
    HardwareOrder order;
    for (const Hardware hardware : best_first) order.rank[order.size++] = hardware;
    return order;
}

/// `amd` has no place of its own: it ranks with `nvidia`.
constexpr Hardware rank_key(Hardware hardware) {
    return hardware == Hardware::amd ? Hardware::nvidia : hardware;
}

constexpr HardwareOrder kFastFirst =
    order_of({Hardware::nvidia, Hardware::igpu, Hardware::npu, Hardware::cpu});
constexpr HardwareOrder kMiddleFirst =
    order_of({Hardware::igpu, Hardware::npu, Hardware::nvidia, Hardware::cpu});
constexpr HardwareOrder kFrugal = order_of({Hardware::npu, Hardware::igpu});
constexpr HardwareOrder kMostFrugal = order_of({Hardware::npu});

struct ModeRow {
    Mode mode;
    ModeWeights weights;  // latency, power, load
    HardwareOrder order;
    std::optional<double> budget_watts;
    std::optional<double> fan_limit_percent;
    std::optional<int> max_concurrency;
};

constexpr std::optional<double> kNone;
constexpr std::array kModes{
    ModeRow{Mode::performance, {3, 0, 1}, kFastFirst, kNone, kNone, {}},
    ModeRow{Mode::balanced, {1.5, 1, 1.5}, kMiddleFirst, 20, kNone, {}},
    ModeRow{Mode::efficiency, {0.5, 2.5, 1}, kFrugal, 15, kNone, {}},
    ModeRow{Mode::quiet, {0.5, 2, 1}, kFrugal, 15, 40, {}},
    ModeRow{Mode::ultra_efficiency, {0, 3, 1}, kMostFrugal, 10, kNone, 2},
};

/// The list of a configuration as an order: each kind once, as many as an order holds.
HardwareOrder order_of(const std::vector<Hardware>& best_first) {
    HardwareOrder order;
    for (const Hardware hardware : best_first) {
        if (order.size == order.rank.size()) break;
        if (!order.contains(hardware)) order.rank[order.size++] = rank_key(hardware);
    }
    return order;
}

void apply(const config::ModeOverride& change, Policy& policy) {
    if (change.latency) policy.weights.latency = *change.latency;
    if (change.power) policy.weights.power = *change.power;
    if (change.load) policy.weights.load = *change.load;
    if (change.power_budget_watts) policy.budget_watts = change.power_budget_watts;
    if (change.hardware) policy.order = order_of(*change.hardware);
    if (change.fan_limit_percent) policy.fan_limit_percent = change.fan_limit_percent;
    if (change.max_concurrency) {
        policy.max_concurrency = static_cast<int>(*change.max_concurrency);
    }
}

}  // namespace

double HardwareOrder::value_of(Hardware hardware) const {
    for (std::size_t i = 0; i < size; ++i) {
        if (rank[i] == rank_key(hardware)) return 1.0 - 0.25 * static_cast<double>(i);
    }
    return 0;
}

bool HardwareOrder::contains(Hardware hardware) const {
    return std::find(rank.begin(), rank.begin() + size, rank_key(hardware)) != rank.begin() + size;
}

bool HardwareOrder::contains_all_local() const {
    constexpr std::array kLocal{Hardware::npu, Hardware::igpu, Hardware::nvidia, Hardware::cpu};
    return std::ranges::all_of(kLocal, [this](Hardware one) { return contains(one); });
}

Policy builtin_policy(Mode effective) {
    const Mode mode = effective == Mode::automatic ? Mode::balanced : effective;
    const auto& row = *std::ranges::find(kModes, mode, &ModeRow::mode);
    Policy policy;
    policy.mode = mode;
    policy.effective = mode;
    policy.weights = row.weights;
    policy.order = row.order;
    policy.budget_watts = row.budget_watts;
    policy.fan_limit_percent = row.fan_limit_percent;
    policy.max_concurrency = row.max_concurrency;
    return policy;
}

Policy policy_of(Mode effective, const config::Config& config) {
    Policy policy = builtin_policy(effective);
    policy.strict = config.efficiency.strict;
    const auto change = config.efficiency.modes.find(policy.effective);
    if (change != config.efficiency.modes.end()) apply(change->second, policy);
    return policy;
}

}  // namespace ollama_proxy::efficiency
