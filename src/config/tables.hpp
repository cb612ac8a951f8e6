#pragma once

#include "config/table.hpp"
#include "ollama_proxy/config/config.hpp"

namespace ollama_proxy::config {

// Built on each call: loading is rare, and nothing is kept between loads.

[[nodiscard]] Table<Config> config_table();
[[nodiscard]] Table<Server> server_table();
[[nodiscard]] Table<Router> router_table();
[[nodiscard]] Table<Backend> backend_table();
[[nodiscard]] Table<Monitors> monitors_table();
[[nodiscard]] Table<Thermal> thermal_table();
[[nodiscard]] Table<Efficiency> efficiency_table();
/// `efficiency_modes:`, an older spelling: the keys of `efficiency` and the modes side by side.
[[nodiscard]] Table<Efficiency> efficiency_modes_table();

/// Says by their ids how the backends differ.
void compare_backends(const std::vector<Backend>& running, const std::vector<Backend>& read,
                      Changes& out);

/// Fills in what depends on other keys of the same backend, and checks it.
void complete_backend(Reader& reader, const std::string& key, Backend& backend);

}  // namespace ollama_proxy::config
