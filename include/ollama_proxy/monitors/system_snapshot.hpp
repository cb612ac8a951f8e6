#pragma once

#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// Heat of one backend's device. Unknown values are absent, never 0.
struct DeviceReading {
    std::string backend_id;
    std::optional<double> temperature_c;
    std::optional<double> limit_c;  ///< where it starts to slow down
    std::optional<double> fan_percent;
    bool throttled = false;
};

/// One reading of the machine, immutable once published. Absent = not known, which is neutral.
struct SystemSnapshot {
    std::vector<DeviceReading> devices;

    [[nodiscard]] const DeviceReading* find(std::string_view backend_id) const {
        for (const auto& device : devices) {
            if (device.backend_id == backend_id) return &device;
        }
        return nullptr;
    }
};

}  // namespace ollama_proxy::monitors
