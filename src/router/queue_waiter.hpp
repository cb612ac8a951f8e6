#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/router/request.hpp"
#include "router/slots.hpp"

#include <boost/intrusive/list.hpp>

#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::router {

/// One (backend, model) that a request may use. The views belong to whoever asks.
struct Place {
    std::string_view backend;
    std::string_view model;
    Capacity capacity;
    bool beyond_limit = false;  ///< also while as many run as the mode allows: it was named
};

/// How the wait of a request stands.
enum class WaitState : std::uint8_t {
    outside,  ///< not queued yet, or it left by itself
    waiting,  ///< in the queue
    granted,  ///< it has a slot at `place`
    evicted,  ///< it had to go for somebody else: the queue was full
    closed,   ///< the daemon stops
};

class Waiter;

namespace queue_detail {

namespace intrusive = boost::intrusive;
using Hook = intrusive::list_member_hook<intrusive::link_mode<intrusive::safe_link>>;

struct Group;
struct Client;

/// A waiter's seat in the line for one place.
struct Seat {
    Waiter* waiter = nullptr;
    Group* group = nullptr;
    std::size_t place = 0;  ///< index in what the waiter asked for
    bool beyond_limit = false;
    Hook hook;
};

}  // namespace queue_detail

/// A request that wants a slot, while it waits: owned by the request, known to the queue by its
/// address. Everything in it belongs to whoever guards the queue.
class Waiter {
  public:
    /// `number` is the request's ticket since it arrived: it keeps it however often it waits.
    Waiter(Priority its_level, std::string its_client, TimePoint arrival, std::uint64_t number)
        : level(its_level), client(std::move(its_client)), since(arrival), ticket(number) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    const Priority level;
    const std::string client;  ///< who asks: bounds its share
    const TimePoint since;     ///< the request's arrival; what ageing counts from
    const std::uint64_t ticket;

    WaitState state = WaitState::outside;
    std::size_t place = 0;       ///< once granted: index of the place
    HeldSlot granted;            ///< and the slot itself, until it is claimed
    bool asked_again = false;    ///< the facts have changed: it should say anew where it may go
    std::shared_ptr<void> bell;  ///< what wakes it; nobody here looks inside

    // the queue's own
    std::vector<queue_detail::Seat> seats;
    queue_detail::Client* share = nullptr;
    queue_detail::Hook in_level;
    queue_detail::Hook in_share;
};

/// Oldest first: behind everybody with a smaller ticket. The newest is found at the end.
template <class List, class Item, class TicketOf>
void insert_by_ticket(List& list, Item& item, const TicketOf& ticket_of) {
    const std::uint64_t ticket = ticket_of(item);
    if (!list.empty() && ticket < ticket_of(list.front())) {
        list.push_front(item);
        return;
    }
    auto at = list.end();
    while (at != list.begin() && ticket_of(*std::prev(at)) > ticket) --at;
    list.insert(at, item);
}

}  // namespace ollama_proxy::router
