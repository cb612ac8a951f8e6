#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "upstream/connection.hpp"

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace ollama_proxy::upstream {

/// Idle connections of one worker, by backend; the last one returned is the first one taken.
/// Thread: its worker's only, so nothing is locked.
class ConnectionPool {
  public:
    static constexpr std::size_t kIdlePerBackend = 64;
    static constexpr Clock::duration kIdleLimit = std::chrono::seconds(60);

    /// A live idle connection to that backend, or nullptr. Dead and old ones are closed. It is
    /// looked at however young it is: a close could be retried, but bytes that came behind the
    /// last answer would be read as the next one, somebody else's.
    std::unique_ptr<Connection> take(const Backend& backend, TimePoint now);
    /// Closed at once where a reload has taken the backend away.
    void give_back(const std::shared_ptr<const Backend>& backend,
                   std::unique_ptr<Connection> connection, TimePoint now);
    void flush() { servers_.clear(); }
    /// Closes those to backends that a reload has taken away.
    void drop_retired();

    /// The calling worker's pool.
    static ConnectionPool& current();

  private:
    struct Idle {
        std::unique_ptr<Connection> connection;
        TimePoint since;
    };
    struct Server {
        std::weak_ptr<const Backend> backend;
        std::vector<Idle> idle;
    };
    std::unordered_map<std::uint64_t, Server> servers_;  ///< by Backend::serial
    std::uint64_t flushed_ = 0;  ///< the last flush of all pools that this one has followed
};

}  // namespace ollama_proxy::upstream
