#pragma once

#include "router/queue_waiter.hpp"

#include <array>
#include <cstddef>
#include <deque>
#include <string_view>

namespace ollama_proxy::router {

namespace queue_detail {

using ShareList = intrusive::list<Waiter, intrusive::member_hook<Waiter, Hook, &Waiter::in_share>,
                                  intrusive::constant_time_size<false>>;

/// One client's waiters.
struct Client {
    std::string_view name;  ///< the key under which it is kept
    std::size_t size = 0;
    std::array<ShareList, kPriorities> levels;  ///< oldest first
    Hook in_rank;
};

using RankList = intrusive::list<Client, intrusive::member_hook<Client, Hook, &Client::in_rank>,
                                 intrusive::constant_time_size<false>>;

}  // namespace queue_detail

/// How much of the queue each client has. Pure; adding and removing cost the same whatever the
/// number of clients.
class ClientShares {
  public:
    void add(Waiter& waiter);
    void remove(Waiter& waiter);

    [[nodiscard]] std::size_t of(std::string_view client) const;
    /// The waiter that is the first to go of the client with most waiters: the youngest of its
    /// lowest level that is not spared. Nothing when there is none.
    [[nodiscard]] Waiter* first_loser(const std::array<bool, kPriorities>& spared);
    [[nodiscard]] std::size_t biggest() const { return biggest_; }

  private:
    void rank(queue_detail::Client& client, std::size_t size);

    TextMap<queue_detail::Client> clients_;
    std::deque<queue_detail::RankList> by_size_;  ///< index: number of waiters
    std::size_t biggest_ = 0;
};

}  // namespace ollama_proxy::router
