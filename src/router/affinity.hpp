#pragma once

#include "ollama_proxy/codec/request_scan.hpp"
#include "ollama_proxy/common/clock.hpp"

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace ollama_proxy::router {

/// Where and when a session or a conversation was served last.
struct LastServed {
    std::uint64_t backend = 0;  ///< see `affinity_id`
    TimePoint at{};
};

/// What a request goes on from and what it will be known by; 0 = nothing. The model is part of
/// them: another model has another cache.
struct AffinityKeys {
    std::uint64_t session = 0;    ///< X-Session-ID: looked for, and noted
    std::uint64_t continues = 0;  ///< the conversation before the last answer: looked for
    std::uint64_t becomes = 0;    ///< the conversation as it is now: noted
};

/// One pass over the messages, no allocation. `model` is in one spelling (`canonical_model`).
[[nodiscard]] AffinityKeys affinity_keys(std::string_view model, std::string_view session_id,
                                         std::string_view body,
                                         const codec::Conversation& conversation);

/// A backend as a number that outlives a reload, and that another server under its name has not.
[[nodiscard]] std::uint64_t affinity_id(std::string_view backend, std::string_view endpoint);

/// Who served which session and conversation: there its keys and values may still be cached.
/// Its size is fixed (200 kB when full, taken as it fills); what comes beyond takes the place of
/// the oldest of four. Keys are hashes; that two are equal by chance costs a less good choice, no
/// more. A short mutex. Thread: any.
class AffinityTable {
  public:
    /// Models leave the memory sooner, as a rule; and what a backend does not tell ends here.
    static constexpr std::chrono::minutes kKeptFor{30};
    static constexpr std::size_t kMaxEntries = 8192;

    /// Session and conversation are served by this backend now.
    void note(const AffinityKeys& keys, std::uint64_t backend, TimePoint now);
    /// Who served them last: the session's word counts, else the conversation's.
    [[nodiscard]] std::optional<LastServed> last(const AffinityKeys& keys, TimePoint now) const;

  private:
    struct Entry {
        std::uint64_t key = 0;  ///< 0 = free
        LastServed served;
    };
    static constexpr std::size_t kShards = 16;
    static constexpr std::size_t kWays = 4;
    static constexpr std::size_t kSets = kMaxEntries / kWays / kShards;
    using Set = std::array<Entry, kWays>;
    struct Shard {
        mutable std::mutex mutex;
        std::vector<Set> sets;  ///< none before the first entry
    };

    void put(std::uint64_t key, std::uint64_t backend, TimePoint now);
    [[nodiscard]] std::optional<LastServed> find(std::uint64_t key, TimePoint now) const;

    std::array<Shard, kShards> shards_;
};

}  // namespace ollama_proxy::router
