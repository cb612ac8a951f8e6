#include "ollama_proxy/config/changes.hpp"

#include "config/tables.hpp"

#include <algorithm>
#include <array>

namespace ollama_proxy::config {
namespace {

/// docs/guides/reload.md says why; a test compares.
constexpr std::array kNeedRestart = std::to_array<std::string_view>({
    "server.host",
    "server.http_port",
    "server.grpc_port",
    "server.workers",
    "router.auto_optimize",
    "monitors.enabled",
    "efficiency.remember",
    "dbus.enabled",
    "dbus.routing_signals",
    "notifications.enabled",
    "state_dir",
});

const Backend* find(const std::vector<Backend>& backends, const std::string& id) {
    const auto found = std::ranges::find(backends, id, &Backend::id);
    return found == backends.end() ? nullptr : &*found;
}

}  // namespace

std::span<const std::string_view> keys_that_need_restart() { return kNeedRestart; }

bool needs_restart(std::string_view key) {
    return std::ranges::find(kNeedRestart, key) != kNeedRestart.end();
}

void compare_backends(const std::vector<Backend>& running, const std::vector<Backend>& read,
                      Changes& out) {
    for (const Backend& backend : read) {
        const Backend* before = find(running, backend.id);
        if (!before) {
            out.added.push_back(backend.id);
        } else if (!(*before == backend)) {
            out.changed.push_back(backend.id);
        }
    }
    for (const Backend& backend : running) {
        if (!find(read, backend.id)) out.removed.push_back(backend.id);
    }
}

Changes take_over_running(const Config& running, Config& read) {
    Changes changes;
    compare_table(config_table(), "", running, read, changes);
    return changes;
}

}  // namespace ollama_proxy::config
