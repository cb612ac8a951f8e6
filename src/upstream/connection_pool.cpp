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

std::unique_ptr<Connection> ConnectionPool::take(const Backend& backend, TimePoint now) {
    const std::uint64_t flushed = all_flushed.load(std::memory_order_relaxed);
    if (std::exchange(flushed_, flushed) != flushed) flush();
    const auto found = servers_.find(backend.serial());
    if (found == servers_.end()) return nullptr;
    auto& idle = found->second.idle;
    while (!idle.empty()) {
        Idle last = std::move(idle.back());
        idle.pop_back();
        if (now - last.since < kIdleLimit && last.connection->is_reusable()) {
            return std::move(last.connection);
        }
    }
    return nullptr;
}

void ConnectionPool::give_back(const std::shared_ptr<const Backend>& backend,
                               std::unique_ptr<Connection> connection, TimePoint now) {
    if (backend->is_retired()) return;
    Server& server = servers_[backend->serial()];
    if (server.idle.empty()) server.backend = backend;
    auto& idle = server.idle;
    // the oldest stand in front
    const auto young = std::ranges::find_if(
        idle, [&](const Idle& entry) { return now - entry.since < kIdleLimit; });
    idle.erase(idle.begin(), young);
    if (idle.size() >= kIdlePerBackend) idle.erase(idle.begin());
    idle.push_back({std::move(connection), now});
}

void ConnectionPool::drop_retired() {
    std::erase_if(servers_, [](const auto& entry) {
        const auto backend = entry.second.backend.lock();
        return !backend || backend->is_retired();
    });
}

void drop_retired_connections() { ConnectionPool::current().drop_retired(); }

void flush_all_connections() { all_flushed.fetch_add(1, std::memory_order_relaxed); }

}  // namespace ollama_proxy::upstream
