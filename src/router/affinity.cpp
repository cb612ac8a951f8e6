#include "router/affinity.hpp"

#include <algorithm>
#include <cstring>

namespace ollama_proxy::router {
namespace {

/// 0 means that there is no key.
std::uint64_t not_zero(std::uint64_t key) { return key == 0 ? 1 : key; }

/// Takes a word in; the constant is 2^64 over the golden ratio (Knuth's multiplicative hashing).
std::uint64_t mixed(std::uint64_t state, std::uint64_t word) {
    state = (state ^ word) * 0x9e3779b97f4a7c15ULL;
    return state ^ (state >> 32);
}

constexpr std::size_t kWord = sizeof(std::uint64_t);

/// Hashes of beginnings of one text, each byte read once: they are asked for in rising order.
class PrefixHash {
  public:
    explicit PrefixHash(std::string_view text) : text_(text) {}

    [[nodiscard]] std::uint64_t of_first(std::size_t size) {
        for (; at_ + kWord <= size; at_ += kWord) state_ = mixed(state_, word(kWord));
        // the tail is the answer's alone: the next question goes on from the last whole word
        return mixed(mixed(state_, word(size - at_)), size);
    }

  private:
    [[nodiscard]] std::uint64_t word(std::size_t size) const {
        std::uint64_t out = 0;
        if (size > 0) std::memcpy(&out, text_.data() + at_, size);
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::uint64_t state_ = 0x243f6a8885a308d3ULL;  // digits of pi: not zero
};

std::uint64_t hash_of(std::string_view text) { return PrefixHash(text).of_first(text.size()); }

}  // namespace

AffinityKeys affinity_keys(std::string_view model, std::string_view session_id,
                           std::string_view body, const codec::Conversation& conversation) {
    AffinityKeys out;
    if (session_id.empty() && conversation.end == 0) return out;
    const std::uint64_t of_model = hash_of(model);
    if (!session_id.empty()) out.session = not_zero(mixed(~of_model, hash_of(session_id)));
    if (conversation.end == 0) return out;
    const std::size_t begin = conversation.begin;
    PrefixHash said(body.substr(begin, conversation.end - begin));
    if (conversation.before_answer > begin) {
        out.continues =
            not_zero(mixed(of_model, said.of_first(conversation.before_answer - begin)));
    }
    out.becomes = not_zero(mixed(of_model, said.of_first(conversation.end - begin)));
    return out;
}

std::uint64_t affinity_id(std::string_view backend, std::string_view endpoint) {
    return mixed(hash_of(backend), hash_of(endpoint));
}

void AffinityTable::note(const AffinityKeys& keys, std::uint64_t backend, TimePoint now) {
    if (keys.session != 0) put(keys.session, backend, now);
    if (keys.becomes != 0) put(keys.becomes, backend, now);
}

std::optional<LastServed> AffinityTable::last(const AffinityKeys& keys, TimePoint now) const {
    std::optional<LastServed> out;
    if (keys.session != 0) out = find(keys.session, now);
    if (!out && keys.continues != 0) out = find(keys.continues, now);
    return out;
}

void AffinityTable::put(std::uint64_t key, std::uint64_t backend, TimePoint now) {
    Shard& shard = shards_[key % kShards];
    std::lock_guard lock(shard.mutex);
    if (shard.sets.empty()) shard.sets.resize(kSets);
    Set& set = shard.sets[key / kShards % kSets];
    Entry* place = std::ranges::find(set, key, &Entry::key);
    if (place == set.end()) {
        place = std::ranges::min_element(set, {}, [](const Entry& one) { return one.served.at; });
    }
    *place = {key, {backend, now}};
}

std::optional<LastServed> AffinityTable::find(std::uint64_t key, TimePoint now) const {
    const Shard& shard = shards_[key % kShards];
    std::lock_guard lock(shard.mutex);
    if (shard.sets.empty()) return std::nullopt;
    const Set& set = shard.sets[key / kShards % kSets];
    const Entry* found = std::ranges::find(set, key, &Entry::key);
    if (found == set.end() || now - found->served.at > kKeptFor) return std::nullopt;
    return found->served;
}

}  // namespace ollama_proxy::router
