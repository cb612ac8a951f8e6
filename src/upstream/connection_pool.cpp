#include "upstream/connection_pool.hpp"

#include "ollama_proxy/upstream/exchange.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

namespace ollama_proxy::upstream {

namespace {

/// How often all pools of the process were flushed: each worker follows at its next use.
std::atomic<std::uint64_t> all_flushed{0};

}  // namespace

ConnectionPool& ConnectionPool::current() {
    thread_local ConnectionPool pool;
    return pool;
}

std::unique_ptr<Connection> ConnectionPool::take(std::uint64_t backend_serial, TimePoint now) {
    const std::uint64_t flushed = all_flushed.load(std::memory_order_relaxed);
    if (std::exchange(flushed_, flushed) != flushed) flush();
    auto& idle = idle_[backend_serial];
    while (!idle.empty()) {
        Idle last = std::move(idle.back());
        idle.pop_back();
        if (now - last.since < kIdleLimit && last.connection->is_reusable()) {
            return std::move(last.connection);
        }
    }
    return nullptr;
}

void ConnectionPool::give_back(std::uint64_t backend_serial, std::unique_ptr<Connection> connection,
                               TimePoint now) {
    auto& idle = idle_[backend_serial];
    // the oldest stand in front
    const auto young = std::ranges::find_if(
        idle, [&](const Idle& entry) { return now - entry.since < kIdleLimit; });
    idle.erase(idle.begin(), young);
    if (idle.size() >= kIdlePerBackend) idle.erase(idle.begin());
    idle.push_back({std::move(connection), now});
}

void flush_connections() { ConnectionPool::current().flush(); }

void flush_all_connections() { all_flushed.fetch_add(1, std::memory_order_relaxed); }

}  // namespace ollama_proxy::upstream
