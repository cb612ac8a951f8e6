#pragma once

#include "monitors/file_reader.hpp"
#include "monitors/part.hpp"

#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// One power domain of the processor, from `class/powercap`.
struct RaplDomain {
    std::string zone;  ///< "intel-rapl:0:1"
    std::string name;  ///< "package-0", "core", "uncore", "dram", "psys"
    std::string part;  ///< its name, or "package-1/core" where several have that name
    CounterFacts counter;
};

struct RaplFacts {
    std::vector<RaplDomain> domains;
    bool denied = false;  ///< counters are there, and only root may read them
};

[[nodiscard]] RaplFacts find_rapl(FileReader& sysfs);

/// What was drawn in the `time` between two readings of a counter; it may have wrapped once. Absent
/// when it went backwards without a known end, or when nothing draws that much: a counter that lost
/// its value in suspend looks as if it had wrapped.
[[nodiscard]] std::optional<double> counted_joules(double before, double now, double wraps_at,
                                                   Clock::duration time);

}  // namespace ollama_proxy::monitors
