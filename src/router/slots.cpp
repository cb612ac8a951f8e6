#include "router/slots.hpp"

namespace ollama_proxy::router {
namespace {

/// What is left of `slots` when some are reserved: never nothing.
std::size_t unreserved(unsigned slots, unsigned reserved) {
    return slots > reserved ? slots - reserved : 1;
}

constexpr std::size_t kIdleModels = 8;

constexpr int kHoldMemory = 8;  ///< a new hold counts for one part in so many

}  // namespace

SlotKind BackendSlots::may_take(std::string_view model, const Capacity& capacity, Priority level,
                                bool aged, const SlotRules& rules) const {
    const auto found = models_.find(model);
    const OfModel of_model = found == models_.end() ? OfModel{} : found->second;
    if (of_model.plain >= capacity.per_model || plain_ >= capacity.in_all) {
        const bool over = level == Priority::critical && extra_ < rules.critical_overcommit;
        return over ? SlotKind::extra : SlotKind::none;
    }
    if (level != Priority::best_effort || rules.reserved == 0) return SlotKind::plain;
    const std::size_t best_effort = running_[static_cast<std::size_t>(Priority::best_effort)];
    const std::size_t here = aged ? of_model.best_effort : of_model.plain;
    const std::size_t everywhere = aged ? best_effort : plain_;
    const bool leaves_enough = here < unreserved(capacity.per_model, rules.reserved) &&
                               everywhere < unreserved(capacity.in_all, rules.reserved);
    return leaves_enough ? SlotKind::plain : SlotKind::none;
}

std::string_view BackendSlots::take(std::string_view model, Priority level, SlotKind kind) {
    ++running_[static_cast<std::size_t>(level)];
    auto found = models_.find(model);
    if (found == models_.end()) found = models_.emplace(model, OfModel{}).first;
    ++found->second.held;
    if (kind == SlotKind::extra) {
        ++extra_;
    } else {
        ++found->second.plain;
        if (level == Priority::best_effort) ++found->second.best_effort;
        ++plain_;
    }
    return found->first;
}

void BackendSlots::release(const HeldSlot& slot, std::optional<Clock::duration> held) {
    --running_[static_cast<std::size_t>(slot.level)];
    const auto found = models_.find(slot.model);
    if (slot.kind == SlotKind::extra) {
        --extra_;
    } else {
        if (slot.level == Priority::best_effort) --found->second.best_effort;
        --found->second.plain;
        --plain_;
    }
    // a few that are not in use stay: the next request for one of them needs no new entry
    if (--found->second.held == 0 && models_.size() > kIdleModels) models_.erase(found);
    if (held) hold_ = hold_ ? *hold_ + (*held - *hold_) / kHoldMemory : *held;
}

std::size_t BackendSlots::plain(std::string_view model) const {
    const auto found = models_.find(model);
    return found == models_.end() ? 0 : found->second.plain;
}

}  // namespace ollama_proxy::router
