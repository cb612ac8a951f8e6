#include "router/admission.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cmath>

namespace ollama_proxy::router {
namespace asio = boost::asio;

/// One request in the queue. All but the timer is guarded by the admission's mutex; the timer is
/// touched on the waiter's own worker only.
struct Admission::Waiter {
    explicit Waiter(asio::any_io_executor executor) : timer(std::move(executor)) {}

    std::vector<Place> places;
    Priority priority = Priority::normal;
    asio::steady_timer timer;
    Permit permit;                     ///< set by the one who grants
    std::optional<std::size_t> place;  ///< index of the granted place
    bool closed = false;               ///< the daemon stops
};

Permit& Permit::operator=(Permit&& other) noexcept {
    if (this == &other) return *this;
    release();
    admission_ = std::exchange(other.admission_, nullptr);
    backend_ = std::move(other.backend_);
    model_key_ = std::move(other.model_key_);
    priority_ = other.priority_;
    return *this;
}

void Permit::release() {
    if (Admission* admission = std::exchange(admission_, nullptr)) {
        admission->release(*backend_, model_key_, priority_);
        backend_.reset();
    }
}

double Occupancy::weighted(unsigned slots) const {
    double sum = 0;
    for (std::size_t level = 0; level < kPriorities; ++level) {
        sum += static_cast<double>((level + 1) * (running[level] + waiting[level]));
    }
    return sum / 2 / std::max(1U, slots);
}

bool Admission::take(const Place& place, Priority priority) {
    const config::Backend& settings = place.backend->settings();
    Slots& slots = slots_[place.backend->serial()];
    if (slots.in_flight >= settings.max_in_flight) return false;
    std::size_t& of_model = slots.by_model[place.model_key];
    if (of_model >= settings.max_concurrency) return false;
    ++of_model;
    ++slots.in_flight;
    ++slots.running[static_cast<std::size_t>(priority)];
    ++in_flight_;
    return true;
}

Permit Admission::make_permit(const Place& place, Priority priority) {
    Permit permit;
    permit.admission_ = this;
    permit.backend_ = place.backend;
    permit.model_key_ = place.model_key;
    permit.priority_ = priority;
    return permit;
}

void Admission::release(const upstream::Backend& backend, const std::string& model_key,
                        Priority priority) {
    std::lock_guard lock(mutex_);
    const auto found = slots_.find(backend.serial());
    if (found == slots_.end()) return;
    Slots& slots = found->second;
    const auto model = slots.by_model.find(model_key);
    // names come from clients: an unused one is not kept
    if (model != slots.by_model.end() && --model->second == 0) slots.by_model.erase(model);
    --slots.running[static_cast<std::size_t>(priority)];
    --in_flight_;
    if (--slots.in_flight == 0) slots_.erase(found);
    if (!queue_.empty()) grant_waiters();
}

void Admission::grant_waiters() {
    for (auto it = queue_.begin(); it != queue_.end();) {
        const std::shared_ptr<Waiter> waiter = *it;
        const auto place = std::ranges::find_if(
            waiter->places, [&](const Place& p) { return take(p, waiter->priority); });
        if (place == waiter->places.end()) {
            ++it;
            continue;
        }
        waiter->place = static_cast<std::size_t>(place - waiter->places.begin());
        waiter->permit = make_permit(*place, waiter->priority);
        it = queue_.erase(it);
        asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
    }
}

std::optional<Admitted> Admission::try_acquire(std::span<const Place> places, Priority priority,
                                               std::size_t& depth) {
    std::lock_guard lock(mutex_);
    depth = queue_.size();
    if (closed_) return std::nullopt;
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (take(places[i], priority)) return Admitted{make_permit(places[i], priority), i};
    }
    return std::nullopt;
}

asio::awaitable<Result<Admitted>> Admission::acquire(std::span<const Place> places,
                                                     Priority priority, TimePoint deadline,
                                                     Settings settings, std::size_t& depth) {
    auto executor = co_await asio::this_coro::executor;
    std::shared_ptr<Waiter> waiter;
    {
        std::lock_guard lock(mutex_);
        depth = queue_.size();
        if (closed_) co_return make_error(Errc::shutting_down, "the proxy is shutting down");
        for (std::size_t i = 0; i < places.size(); ++i) {
            if (take(places[i], priority)) {
                co_return Admitted{make_permit(places[i], priority), i};
            }
        }
        if (queue_.size() >= settings.max_waiting) {
            Error full = make_error(
                Errc::queue_full, "every backend is busy and the queue is full (" +
                                      std::to_string(queue_.size()) + " waiting); try again later");
            full.retry_after_s = 1;
            co_return full;
        }
        waiter = std::make_shared<Waiter>(executor);
        waiter->places.assign(places.begin(), places.end());
        waiter->priority = priority;
        queue_.push_back(waiter);
    }
    /// Whatever ends the wait: the node leaves the queue, and a slot that was granted to a request
    /// that has gone is passed on.
    struct Leave {
        Admission& admission;
        std::shared_ptr<Waiter> waiter;
        ~Leave() {
            Permit abandoned;  // dies after the lock is gone: releasing takes it again
            std::lock_guard lock(admission.mutex_);
            admission.queue_.remove(waiter);
            abandoned = std::move(waiter->permit);
        }
    } leave{*this, waiter};

    const TimePoint limit = std::min(Clock::now() + settings.timeout, deadline);
    waiter->timer.expires_at(limit);
    co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));

    std::lock_guard lock(mutex_);
    if (waiter->place) co_return Admitted{std::move(waiter->permit), *waiter->place};
    if (waiter->closed) co_return make_error(Errc::shutting_down, "the proxy is shutting down");
    if (Clock::now() < limit) {
        co_return make_error(Errc::cancelled, "the client left while waiting");
    }
    Error late =
        make_error(Errc::queue_timeout, "waited " + std::to_string(settings.timeout.count()) +
                                            " ms for a free backend; try again later");
    late.retry_after_s = 1;
    co_return late;
}

void Admission::occupancy(std::span<const std::shared_ptr<upstream::Backend>> backends,
                          std::vector<Occupancy>& out) const {
    out.assign(backends.size(), {});
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < backends.size(); ++i) {
        const auto slots = slots_.find(backends[i]->serial());
        if (slots == slots_.end()) continue;
        out[i].in_flight = slots->second.in_flight;
        out[i].running = slots->second.running;
    }
    for (const auto& waiter : queue_) {
        for (const Place& place : waiter->places) {
            const std::size_t i = place.backend->index();
            if (i < backends.size() && backends[i] == place.backend) {
                ++out[i].waiting[static_cast<std::size_t>(waiter->priority)];
            }
        }
    }
}

std::size_t Admission::waiting() const {
    std::lock_guard lock(mutex_);
    return queue_.size();
}

std::size_t Admission::in_flight() const {
    std::lock_guard lock(mutex_);
    return in_flight_;
}

void Admission::close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (auto& waiter : queue_) {
        waiter->closed = true;
        asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
    }
    queue_.clear();
}

}  // namespace ollama_proxy::router
