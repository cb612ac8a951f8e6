#include "upstream/connection_pool.hpp"

#include "ollama_proxy/upstream/exchange.hpp"

#include <algorithm>

namespace ollama_proxy::upstream {

ConnectionPool& ConnectionPool::current() {
    thread_local ConnectionPool pool;
    return pool;
}

std::unique_ptr<Connection> ConnectionPool::take(std::uint64_t backend_serial, TimePoint now) {
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

}  // namespace ollama_proxy::upstream
