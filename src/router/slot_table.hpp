#pragma once

#include "router/slots.hpp"

#include <array>
#include <mutex>
#include <string_view>
#include <type_traits>

namespace ollama_proxy::router {

/// The slots of all backends, by id, so that a backend keeps its count over a reload. A lock for
/// a few backends each, held for a few instructions. Thread: any.
class SlotTable {
  public:
    /// Runs `f(BackendSlots&)` or `f(BackendSlots&, id)`, with the id as it is kept here for ever,
    /// under the lock of that backend; it must not call back.
    template <class F>
    decltype(auto) with(std::string_view backend, const F& f) {
        Shard& shard = shards_[TextHash{}(backend) % shards_.size()];
        std::lock_guard lock(shard.mutex);
        auto found = shard.backends.find(backend);
        if (found == shard.backends.end()) {
            found = shard.backends.try_emplace(std::string(backend)).first;
        }
        if constexpr (std::is_invocable_v<F, BackendSlots&, std::string_view>) {
            return f(found->second, std::string_view(found->first));
        } else {
            return f(found->second);
        }
    }

  private:
    struct Shard {
        std::mutex mutex;
        TextMap<BackendSlots> backends;  ///< never more than were ever configured
    };
    std::array<Shard, 16> shards_;
};

}  // namespace ollama_proxy::router
