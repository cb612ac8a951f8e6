#include "router/client_shares.hpp"

#include <algorithm>

namespace ollama_proxy::router {

using queue_detail::Client;

void ClientShares::rank(Client& client, std::size_t size) {
    if (client.size > 0) by_size_[client.size].erase(by_size_[client.size].iterator_to(client));
    client.size = size;
    if (size > 0) {
        if (by_size_.size() <= size) by_size_.resize(size + 1);
        by_size_[size].push_back(client);
        biggest_ = std::max(biggest_, size);
    }
    while (biggest_ > 0 && by_size_[biggest_].empty()) --biggest_;
}

void ClientShares::add(Waiter& waiter) {
    auto found = clients_.find(waiter.client);
    if (found == clients_.end()) {
        found = clients_.try_emplace(waiter.client).first;
        found->second.name = found->first;
    }
    Client& client = found->second;
    waiter.share = &client;
    insert_by_ticket(client.levels[static_cast<std::size_t>(waiter.level)], waiter,
                     [](const Waiter& one) { return one.ticket; });
    rank(client, client.size + 1);
}

void ClientShares::remove(Waiter& waiter) {
    Client& client = *waiter.share;
    waiter.share = nullptr;
    auto& level = client.levels[static_cast<std::size_t>(waiter.level)];
    level.erase(level.iterator_to(waiter));
    rank(client, client.size - 1);
    if (client.size == 0) clients_.erase(clients_.find(client.name));
}

std::size_t ClientShares::of(std::string_view client) const {
    const auto found = clients_.find(client);
    return found == clients_.end() ? 0 : found->second.size;
}

Waiter* ClientShares::first_loser(const std::array<bool, kPriorities>& spared) {
    if (biggest_ == 0) return nullptr;
    auto& levels = by_size_[biggest_].front().levels;
    for (std::size_t level = 0; level < kPriorities; ++level) {
        if (!levels[level].empty() && !spared[level]) return &levels[level].back();
    }
    return nullptr;
}

}  // namespace ollama_proxy::router
