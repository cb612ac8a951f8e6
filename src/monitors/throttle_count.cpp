#include "monitors/throttle_count.hpp"

#include "monitors/sysfs.hpp"

#include <algorithm>

namespace ollama_proxy::monitors {
namespace {

bool is_processor(std::string_view name) {
    return name.size() > 3 && name.starts_with("cpu") &&
           std::ranges::all_of(name.substr(3), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<std::int64_t> read_throttle_count(FileReader& sysfs) {
    std::optional<std::int64_t> sum;
    for (const std::string& name : sysfs.list("devices/system/cpu")) {
        if (!is_processor(name)) continue;
        const std::string dir = "devices/system/cpu/" + name + "/thermal_throttle/";
        bool counts = false;
        for (const char* file : {"core_throttle_count", "package_throttle_count"}) {
            const auto count = read_integer(sysfs, dir + file);
            if (!count || *count < 0) continue;
            counts = true;
            sum = sum.value_or(0) + *count;
        }
        if (!counts && !sum) return std::nullopt;  // the others of this processor do not either
    }
    return sum;
}

}  // namespace ollama_proxy::monitors
