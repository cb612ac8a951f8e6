#pragma once

#include "monitors/file_reader.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// One directory of `class/power_supply` as it was read.
struct SupplyFacts {
    enum class Kind {
        mains,
        usb,  ///< a port that may take an adapter; counts only where no mains is there
        battery,
    };
    enum class Status {
        unknown,
        charging,
        discharging,
        idle,  ///< full, or held at a limit
    };
    Kind kind = Kind::mains;
    std::optional<bool> online;
    Status status = Status::unknown;
    std::optional<double> capacity;  ///< percent
    std::optional<double> now_wh;
    std::optional<double> full_wh;
    std::optional<double> watts;
};

/// All supplies of the machine itself; those of peripherals (`scope` = Device) are left out.
[[nodiscard]] std::vector<SupplyFacts> read_supplies(FileReader& sysfs);

/// Several batteries added up, weighted by their size where all tell it.
[[nodiscard]] PowerSupply combine(std::span<const SupplyFacts> supplies);

}  // namespace ollama_proxy::monitors
