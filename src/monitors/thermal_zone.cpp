#include "monitors/thermal_zone.hpp"

#include "monitors/sysfs.hpp"
#include "ollama_proxy/common/ascii.hpp"

#include <algorithm>

namespace ollama_proxy::monitors {
namespace {

bool speaks_for_processor(const std::string& type) {
    const std::string lower = ascii_lower(type);
    return lower == "x86_pkg_temp" || lower.starts_with("cpu") || lower.starts_with("soc");
}

/// The zone's critical trip point.
std::optional<double> critical_of(FileReader& sysfs, const std::string& dir) {
    constexpr int kMostTrips = 12;
    for (int trip = 0; trip < kMostTrips; ++trip) {
        const std::string prefix = dir + "/trip_point_" + std::to_string(trip);
        const std::string type = read_text(sysfs, prefix + "_type");
        if (type.empty()) break;
        if (type == "critical") return read_celsius(sysfs, prefix + "_temp");
    }
    return std::nullopt;
}

Part read_zone(FileReader& sysfs, const std::string& name, std::string type) {
    const std::string dir = "class/thermal/" + name;
    Part part;
    part.driver = std::move(type);
    part.zone = name;
    TemperatureFacts facts;
    facts.label = name;
    facts.celsius = read_celsius(sysfs, dir + "/temp");
    facts.crit = critical_of(sysfs, dir);
    part.temperatures.push_back(std::move(facts));
    part.first_is_main = true;
    return part;
}

}  // namespace

std::vector<Part> find_zones(FileReader& sysfs, bool processor_known,
                             const std::vector<std::string>& named) {
    std::vector<Part> out;
    std::vector<Part> board;
    bool found = processor_known;
    for (const std::string& name : sysfs.list("class/thermal")) {
        if (!name.starts_with("thermal_zone")) continue;
        std::string type = read_text(sysfs, "class/thermal/" + name + "/type");
        const bool is_named = std::ranges::any_of(
            named, [&](const auto& wanted) { return wanted == name || wanted == type; });
        const bool is_processor = !processor_known && speaks_for_processor(type);
        const bool is_board = !processor_known && type == "acpitz";
        if (!is_named && !is_processor && !is_board) continue;
        Part part = read_zone(sysfs, name, std::move(type));
        part.kind = is_processor ? Part::Kind::cpu : Part::Kind::named;
        // of the board's, whichever is the hottest stands for one and the same processor
        if (is_processor || is_named) part.place = name;
        found = found || is_processor;
        (is_board && !is_named ? board : out).push_back(std::move(part));
    }
    if (found || board.empty()) return out;
    const auto hottest = std::ranges::max_element(board, {}, [](const Part& part) {
        return part.temperatures.front().celsius.value_or(-1000);
    });
    hottest->kind = Part::Kind::cpu;
    out.push_back(std::move(*hottest));
    return out;
}

}  // namespace ollama_proxy::monitors
