#include "monitors/sysfs.hpp"

#include <charconv>

namespace ollama_proxy::monitors {
namespace {

constexpr double kColdest = -40;
constexpr double kHottest = 150;

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end) return std::nullopt;
    return value;
}

std::optional<std::int64_t> read_integer(FileReader& files, const std::string& path) {
    const FileText file = files.read(path);
    if (!file.ok()) return std::nullopt;
    return parse_integer(file.text);
}

std::optional<double> read_celsius(FileReader& files, const std::string& path) {
    const auto value = read_integer(files, path);
    if (!value || *value == 0 || *value == -1) return std::nullopt;
    const double celsius = static_cast<double>(*value) / 1000;
    if (celsius < kColdest || celsius > kHottest) return std::nullopt;
    return celsius;
}

std::optional<double> read_micro(FileReader& files, const std::string& path) {
    const auto value = read_integer(files, path);
    if (!value || *value < 0) return std::nullopt;
    return static_cast<double>(*value) / 1e6;
}

std::string read_text(FileReader& files, const std::string& path) {
    FileText file = files.read(path);
    return file.ok() ? std::move(file.text) : std::string();
}

bool is_asleep(FileReader& files, const std::string& device) {
    const std::string status = read_text(files, device + "/power/runtime_status");
    return status == "suspended" || status == "suspending";
}

std::string last_component(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));  // npos + 1 == 0
}

bool is_pci_address(std::string_view name) {
    return name.size() >= 12 && name[4] == ':' && name[7] == ':' && name[10] == '.';
}

}  // namespace ollama_proxy::monitors
