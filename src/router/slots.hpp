#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/router/request.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ollama_proxy::router {

/// How many requests a backend takes at once.
struct Capacity {
    unsigned per_model = 1;
    unsigned in_all = 1;
};

/// What the levels are allowed beyond, or denied of, the plain slots.
struct SlotRules {
    unsigned critical_overcommit = 1;  ///< extra slots of a backend for critical requests
    unsigned reserved = 0;             ///< slots that best-effort requests leave free
};

/// Lets a map of strings be asked with a view.
struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>{}(text);
    }
};
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

/// What a request would run on.
enum class SlotKind : std::uint8_t {
    none,   ///< nothing is free for it
    plain,  ///< one of the backend's slots
    extra,  ///< the overcommit for critical requests, beside the slots: it never takes one from
            ///< those who wait in order
};

/// A slot in somebody's hands. The names are the table's own, and live as long as it is held.
struct HeldSlot {
    std::string_view backend;
    std::string_view model;
    Priority level = Priority::normal;
    SlotKind kind = SlotKind::none;
};

/// The slots of one backend: who runs there, and who else may. Pure; not thread-safe.
class BackendSlots {
  public:
    /// What a request of this level may run on now. `aged`: it waited long enough to be lifted; a
    /// best-effort one then no longer leaves slots free that others fill, but its own kind still
    /// never takes the reserved ones, so that it is not starved by constant traffic.
    [[nodiscard]] SlotKind may_take(std::string_view model, const Capacity& capacity,
                                    Priority level, bool aged, const SlotRules& rules) const;
    /// Gives the model's name as it is kept here while the slot is held.
    std::string_view take(std::string_view model, Priority level, SlotKind kind);
    /// `held`: how long the slot was taken; nothing when it was never used.
    void release(const HeldSlot& slot, std::optional<Clock::duration> held);

    /// All that run, those on extra slots too.
    [[nodiscard]] std::size_t in_flight() const { return plain_ + extra_; }
    /// On plain slots.
    [[nodiscard]] std::size_t plain(std::string_view model) const;
    [[nodiscard]] const std::array<std::size_t, kPriorities>& running() const { return running_; }
    /// How long slots are held, lately; nothing before the first came back.
    [[nodiscard]] std::optional<Clock::duration> usual_hold() const { return hold_; }

  private:
    struct OfModel {
        std::size_t held = 0;  ///< slots of either kind
        std::size_t plain = 0;
        std::size_t best_effort = 0;
    };

    TextMap<OfModel> models_;  ///< those in use and a few more: the names come from clients
    std::array<std::size_t, kPriorities> running_{};
    std::size_t plain_ = 0;
    std::size_t extra_ = 0;
    std::optional<Clock::duration> hold_;
};

}  // namespace ollama_proxy::router
