#include "http/efficiency_replies.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <ctime>

namespace ollama_proxy::http {
using efficiency::State;
using efficiency::Transition;
using nlohmann::json;

namespace {

constexpr std::size_t kBodyLimit = 4096;

template <class T>
json or_null(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

/// RFC 3339 in UTC, with milliseconds.
std::string time_text(std::int64_t unix_ms) {
    constexpr std::int64_t kSecond = 1000;
    const std::time_t seconds = unix_ms / kSecond;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char date[32];
    std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    char text[48];
    std::snprintf(text, sizeof text, "%s.%03dZ", date, static_cast<int>(unix_ms % kSecond));
    return text;
}

/// Where requests without wishes of their own go in this mode, as long as that is possible.
bool is_within_mode(const router::BackendView& backend, const efficiency::Policy& policy) {
    if (!backend.healthy) return false;
    const auto hardware = config::parse_hardware(backend.hardware);
    if (!hardware || !policy.order.contains(*hardware)) return false;
    return !policy.budget_watts || !backend.power_watts ||
           *backend.power_watts <= *policy.budget_watts;
}

}  // namespace

Reply efficiency_reply(const State& state, const router::StatusView& view) {
    json modes = json::array();
    for (const config::Mode mode : efficiency::available_modes()) {
        modes.push_back(config::to_string(mode));
    }
    json active = json::array();
    for (const router::BackendView& backend : view.backends) {
        if (is_within_mode(backend, *state.policy)) active.push_back(backend.id);
    }
    const efficiency::Surroundings& around = state.surroundings;
    json level = nullptr;
    if (around.battery_percent) level = std::lround(*around.battery_percent);
    json profile = nullptr;
    if (around.profile != efficiency::PowerProfile::unknown) profile = to_string(around.profile);
    const json body = {{"mode", config::to_string(state.mode)},
                       {"effective_mode", config::to_string(state.effective)},
                       {"reason", state.reason},
                       {"available_modes", std::move(modes)},
                       {"power_budget_watts", or_null(state.policy->budget_watts)},
                       {"active_backends", std::move(active)},
                       {"system_state",
                        {{"on_battery", or_null(around.on_battery)},
                         {"battery_level", std::move(level)},
                         {"cpu_temp_c", or_null(around.cpu_c)},
                         {"power_profile", std::move(profile)}}}};
    return json_reply(200, body.dump(-1, ' ', false, json::error_handler_t::replace));
}

Reply efficiency_history_reply(std::span<const Transition> history) {
    json list = json::array();
    for (const Transition& one : history) {
        list.push_back({{"time", time_text(one.unix_ms)},
                        {"mode", config::to_string(one.mode)},
                        {"from", config::to_string(one.from)},
                        {"to", config::to_string(one.to)},
                        {"reason", one.reason}});
    }
    return json_reply(200, json{{"history", std::move(list)}}.dump());
}

Result<efficiency::Change> read_efficiency_change(std::string_view body) {
    // a mode's name is short; nobody gets a tree of megabytes built here
    if (body.size() > kBodyLimit) {
        return make_error(Errc::request_too_large, "the body of POST /efficiency names one mode");
    }
    const json object = json::parse(body, nullptr, false);
    if (!object.is_object()) {
        return make_error(Errc::invalid_request,
                          "the body must be a JSON object such as {\"mode\":\"Quiet\"}");
    }
    const auto mode = object.find("mode");
    if (mode == object.end() || !mode->is_string()) {
        return make_error(Errc::invalid_request, "'mode' must be the name of an efficiency mode",
                          "mode");
    }
    const auto parsed = efficiency::mode_from_text(mode->get_ref<const std::string&>());
    if (!parsed) return parsed.error();
    efficiency::Change change;
    change.mode = *parsed;
    return change;
}

}  // namespace ollama_proxy::http
