#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/router/request.hpp"
#include "ollama_proxy/upstream/backend.hpp"

#include <boost/asio/awaitable.hpp>

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace ollama_proxy::router {

class Admission;

/// The right to have one request in flight at one backend; gives it back when it dies, which may
/// hand it to a waiter. Thread: any.
class Permit {
  public:
    Permit() = default;
    Permit(Permit&& other) noexcept { *this = std::move(other); }
    Permit& operator=(Permit&& other) noexcept;
    ~Permit() { release(); }
    void release();
    [[nodiscard]] bool holds() const { return admission_ != nullptr; }

  private:
    friend class Admission;
    Admission* admission_ = nullptr;
    std::shared_ptr<upstream::Backend> backend_;
    std::string model_key_;
    Priority priority_ = Priority::normal;
};

/// A place that a request could take.
struct Place {
    std::shared_ptr<upstream::Backend> backend;
    std::string model_key;
};

struct Admitted {
    Permit permit;
    std::size_t place = 0;  ///< index of the place that was got
};

/// How busy one backend is.
struct Occupancy {
    std::size_t in_flight = 0;
    std::array<std::size_t, kPriorities> running{};
    std::array<std::size_t, kPriorities> waiting{};  ///< waiters that may use it

    /// Running and waiting, weighted by level, over the slots (routing contract, section 3).
    [[nodiscard]] double weighted(unsigned slots) const;
};

/// Slots per backend and model, and one queue for what finds none free. First come first served
/// among those that may use the slot that came free. One mutex, held for a few instructions and
/// never across a co_await.
class Admission {
  public:
    struct Settings {
        std::size_t max_waiting = 512;
        Milliseconds timeout{30000};
    };

    Admission() = default;
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;

    /// Takes the first free place without waiting; nothing when all are full. `depth` as below.
    [[nodiscard]] std::optional<Admitted> try_acquire(std::span<const Place> places,
                                                      Priority priority, std::size_t& depth);

    /// Takes the first free place, or waits for any of them. Errors: queue_full, queue_timeout,
    /// shutting_down. `depth` becomes the number that waited when this one came. Cancelling (total)
    /// leaves the queue; a slot granted in that moment goes to the next. Thread: a worker.
    [[nodiscard]] boost::asio::awaitable<Result<Admitted>> acquire(std::span<const Place> places,
                                                                   Priority priority,
                                                                   TimePoint deadline,
                                                                   Settings settings,
                                                                   std::size_t& depth);

    /// Occupancy of several backends at one moment, in their order.
    void occupancy(std::span<const std::shared_ptr<upstream::Backend>> backends,
                   std::vector<Occupancy>& out) const;
    [[nodiscard]] std::size_t waiting() const;
    [[nodiscard]] std::size_t in_flight() const;

    /// Waiters and newcomers get `shutting_down`.
    void close();

  private:
    friend class Permit;
    struct Waiter;
    struct Slots {
        std::array<std::size_t, kPriorities> running{};
        std::size_t in_flight = 0;
        std::unordered_map<std::string, std::size_t> by_model;
    };

    bool take(const Place& place, Priority priority);
    [[nodiscard]] Permit make_permit(const Place& place, Priority priority);
    void release(const upstream::Backend& backend, const std::string& model_key, Priority priority);
    void grant_waiters();

    mutable std::mutex mutex_;
    std::unordered_map<std::uint64_t, Slots> slots_;  ///< by backend serial
    std::list<std::shared_ptr<Waiter>> queue_;
    std::size_t in_flight_ = 0;
    bool closed_ = false;
};

}  // namespace ollama_proxy::router
