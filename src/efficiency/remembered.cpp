#include "efficiency/remembered.hpp"

#include <nlohmann/json.hpp>

namespace ollama_proxy::efficiency {
using nlohmann::json;

namespace {

constexpr int kVersion = 1;
constexpr int kHours = 24;

/// A member of the wanted type, or a null pointer.
template <class T>
const T* member(const json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() ? nullptr : found->get_ptr<const T*>();
}

std::optional<unsigned> hour(const json& object, const char* name) {
    const auto* value = member<json::number_integer_t>(object, name);
    if (!value || *value < 0 || *value >= kHours) return std::nullopt;
    return static_cast<unsigned>(*value);
}

bool read_mode(const json& object, Remembered& out) {
    if (!object.contains("mode")) return true;
    const auto* text = member<std::string>(object, "mode");
    if (text) out.mode = config::parse_mode(*text);
    return out.mode.has_value();
}

bool read_quiet_hours(const json& object, Remembered& out) {
    const auto quiet = object.find("quiet_hours");
    if (quiet == object.end()) return true;
    if (!quiet->is_object()) return false;
    const auto* enabled = member<bool>(*quiet, "enabled");
    const auto start = hour(*quiet, "start_hour");
    const auto end = hour(*quiet, "end_hour");
    if (!enabled || !start || !end) return false;
    out.quiet_hours = config::QuietHours{*enabled, *start, *end};
    return true;
}

bool read_notifications(const json& object, Remembered& out) {
    const auto switches = object.find("notifications");
    if (switches == object.end()) return true;
    if (!switches->is_object()) return false;
    for (const auto& [name, value] : switches->items()) {
        const auto kind = parse_notification_kind(name);
        if (!kind || !value.is_boolean()) return false;
        out.notifications[*kind] = value.get<bool>();
    }
    return true;
}

}  // namespace

void Remembered::take(const Change& change) {
    if (change.mode) mode = change.mode;
    if (change.quiet_hours) quiet_hours = change.quiet_hours;
    for (const auto& [kind, on] : change.notifications) notifications[kind] = on;
}

std::string to_json(const Remembered& remembered) {
    json out = {{"version", kVersion}};
    if (remembered.mode) out["mode"] = config::to_string(*remembered.mode);
    if (remembered.quiet_hours) {
        out["quiet_hours"] = {{"enabled", remembered.quiet_hours->enabled},
                              {"start_hour", remembered.quiet_hours->start_hour},
                              {"end_hour", remembered.quiet_hours->end_hour}};
    }
    for (const auto& [kind, on] : remembered.notifications) {
        out["notifications"][std::string(to_string(kind))] = on;
    }
    return out.dump(2) + "\n";
}

std::optional<Remembered> remembered_from_json(std::string_view text) {
    const json object = json::parse(text, nullptr, false);
    if (!object.is_object()) return std::nullopt;
    const auto* version = member<json::number_integer_t>(object, "version");
    if (!version || *version != kVersion) return std::nullopt;
    Remembered out;
    if (!read_mode(object, out) || !read_quiet_hours(object, out) ||
        !read_notifications(object, out)) {
        return std::nullopt;
    }
    return out;
}

}  // namespace ollama_proxy::efficiency
