#include "app/show.hpp"

#include "app/json_fields.hpp"
#include "app/table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace ollama_proxy::app {
using nlohmann::json;

namespace {

/// With at most one digit after the point; "-" when not known.
std::string plain(std::optional<double> number) {
    if (!number || !std::isfinite(*number)) return "-";
    char text[64];
    const bool whole = std::abs(*number - std::round(*number)) < 0.05;
    std::snprintf(text, sizeof text, whole ? "%.0f" : "%.1f", *number);
    return text;
}

/// A latency of 0 is one that nobody has measured or configured.
std::string latency_text(std::optional<double> milliseconds) {
    return milliseconds == 0 ? "-" : plain(milliseconds);
}

Cell state_cell(const json& backend) {
    const std::string state = text_of(backend, "state");
    const std::string circuit = text_of(backend, "circuit");
    if (!circuit.empty() && circuit != "closed" && state == "healthy") {
        return {"circuit " + circuit, Colour::yellow};
    }
    if (flag_of(backend, "throttled")) return {state + ", throttled", Colour::yellow};
    if (flag_of(backend, "healthy")) return {state, Colour::green};
    return {state, state == "unhealthy" ? Colour::red : Colour::yellow};
}

std::string mode_text(const json& state) {
    const std::string mode = printable(text_of(state, "mode"));
    const std::string now = printable(text_of(state, "effective_mode"));
    const std::string reason = printable(text_of(state, "reason"));
    if (mode.empty()) return "not known";
    std::string out = mode;
    if (!now.empty() && now != mode) out += ", now " + now;
    if (!reason.empty()) out += " (" + reason + ")";
    return out;
}

std::string heat_text(const json& thermal) {
    std::string out;
    const auto add = [&](const char* what, std::optional<double> value, const char* unit) {
        if (value) out += (out.empty() ? "" : ", ") + std::string(what) + plain(value) + unit;
    };
    add("CPU ", number_of(thermal, "cpu_temperature_c"), " °C");
    add("GPU ", number_of(thermal, "gpu_temperature_c"), " °C");
    add("fan ", number_of(thermal, "fan_speed_rpm"), " rpm");
    const std::string state = printable(text_of(thermal, "thermal_state"));
    if (out.empty()) return state.empty() ? "not known" : state;
    return state.empty() ? out : out + " (" + state + ")";
}

std::string battery_text(const json& efficiency) {
    const json& system = field(efficiency, "system_state");
    const auto level = number_of(system, "battery_level");
    if (!field(system, "on_battery").is_boolean()) return "not known";
    const std::string source = flag_of(system, "on_battery") ? "on battery" : "on mains";
    return level ? source + ", " + plain(level) + " %" : source;
}

struct Load {
    double waiting = 0;
    double in_flight = 0;
    int enabled = 0;
    int healthy = 0;
};

Load load_of(const json& list) {
    Load load;
    for (const json& backend : list) {
        load.waiting += number_of(backend, "queue_depth").value_or(0);
        load.in_flight += number_of(backend, "in_flight").value_or(0);
        if (flag_of(backend, "enabled")) ++load.enabled;
        if (flag_of(backend, "healthy")) ++load.healthy;
    }
    return load;
}

std::string joined(const json& list) {
    std::string out;
    for (const json& entry : list) {
        if (entry.is_string()) out += (out.empty() ? "" : ", ") + entry.get<std::string>();
    }
    return out;
}

/// With two digits after the point; "-" when not known.
std::string precise(std::optional<double> number) {
    if (!number || !std::isfinite(*number)) return "-";
    char text[64];
    std::snprintf(text, sizeof text, "%.2f", *number);
    return text;
}

/// The scorers in the order in which the first candidate that has terms names them.
std::vector<std::string> scorers_of(const json& candidates) {
    std::vector<std::string> out;
    for (const json& candidate : candidates) {
        const json& terms = field(candidate, "terms");
        if (!terms.is_object() || terms.empty()) continue;
        for (const auto& [name, value] : terms.items()) out.push_back(name);
        break;
    }
    return out;
}

/// All that speaks against a candidate; an older daemon tells only the first.
std::string refusals_text(const json& candidate) {
    std::string out;
    const auto add = [&out](const json& from, const char* code, const char* words) {
        const std::string text = text_of(from, words);
        const std::string one = text.empty() ? text_of(from, code) : text;
        if (!one.empty()) out += (out.empty() ? "" : "; ") + one;
    };
    for (const json& one : field(candidate, "refusals")) add(one, "refusal", "text");
    if (out.empty()) add(candidate, "refusal", "refusal_text");
    return out;
}

std::string conclusion(const json& reply) {
    const std::string backend = text_of(reply, "backend");
    const std::string reason = text_of(reply, "reason");
    const std::string model = text_of(reply, "model");
    const std::string mode = text_of(reply, "mode");
    std::string out = model.empty() ? "" : model + ": ";
    out += backend.empty() ? "no backend" : backend;
    if (!reason.empty()) out += " (" + reason + ")";
    if (!mode.empty()) out += ", mode " + mode;
    if (flag_of(reply, "waits_for_target")) out += ", waits for it alone";
    const std::string error = text_of(field(reply, "error"), "message");
    if (!error.empty()) {
        out += ", answered with " + plain(number_of(field(reply, "error"), "status")) + " " +
               text_of(field(reply, "error"), "code");
    }
    return printable(out);
}

}  // namespace

std::string show_status(const StatusParts& parts, const std::string& url, bool colour) {
    const std::string status = printable(text_of(parts.health, "status"));
    const Load load = load_of(field(parts.backends, "backends"));
    const json& mode = parts.efficiency.is_object() ? parts.efficiency : parts.health;
    std::string out =
        "ollama-proxy " + printable(text_of(parts.health, "version")) + " at " + url + ": " +
        paint(status, status == "healthy" ? Colour::green : Colour::yellow, colour) + "\n";
    out += "mode      " + mode_text(mode) + "\n";
    out += "backends  " + std::to_string(load.healthy) + " of " + std::to_string(load.enabled) +
           " healthy\n";
    out += "queue     " + plain(load.waiting) + " waiting, " + plain(load.in_flight) +
           " in progress\n";
    out += "heat      " + heat_text(parts.thermal) + "\n";
    out += "battery   " + battery_text(parts.efficiency) + "\n\n";
    return out + show_backends(parts.backends, colour);
}

std::string show_backends(const json& reply, bool colour) {
    Table table({{"ID"},
                 {"NAME"},
                 {"HARDWARE"},
                 {"STATE"},
                 {"LATENCY ms", true},
                 {"POWER W", true},
                 {"TEMP °C", true},
                 {"QUEUE", true},
                 {"BUSY", true},
                 {"MODELS", true},
                 {"REASON"}});
    for (const json& backend : field(reply, "backends")) {
        table.add({{text_of(backend, "id")},
                   {text_of(backend, "name")},
                   {text_of(backend, "hardware")},
                   state_cell(backend),
                   {latency_text(number_of(backend, "avg_latency_ms"))},
                   {plain(number_of(backend, "power_watts"))},
                   {plain(number_of(backend, "temperature_c"))},
                   {plain(number_of(backend, "queue_depth"))},
                   {plain(number_of(backend, "in_flight"))},
                   {std::to_string(field(backend, "models").size())},
                   {text_of(backend, "reason")}});
    }
    return table.empty() ? "no backends\n" : table.text(colour);
}

std::string show_models(const json& reply, bool colour) {
    Table table({{"MODEL"}, {"LOADED"}, {"BACKENDS"}});
    for (const json& model : field(reply, "data")) {
        const bool loaded = flag_of(model, "loaded");
        table.add({{text_of(model, "id")},
                   {loaded ? "yes" : "", Colour::green},
                   {joined(field(model, "backends"))}});
    }
    return table.empty() ? "no models\n" : table.text(colour);
}

std::string show_mode(const json& reply) {
    const json& modes = field(reply, "available_modes");
    std::string out = mode_text(reply) + "\n";
    if (modes.is_array()) out += "available: " + printable(joined(modes)) + "\n";
    return out;
}

std::string show_explanation(const json& reply, bool colour) {
    const json& candidates = field(reply, "candidates");
    // Of another shape: then all of it, rather than half of it in columns.
    if (!candidates.is_array()) return reply.dump(2, ' ', true) + "\n";
    const std::vector<std::string> scorers = scorers_of(candidates);
    std::vector<Table::Column> columns{{"BACKEND"}, {"SCORE", true}};
    for (const std::string& name : scorers) columns.push_back({name, true});
    columns.insert(columns.end(), {{"LATENCY ms", true}, {"POWER W", true}, {"REFUSED"}});
    Table table(std::move(columns));
    for (const json& candidate : candidates) {
        const std::string refusal = text_of(candidate, "refusal");
        std::vector<Cell> row{
            {text_of(candidate, "backend")},
            {refusal.empty() ? precise(number_of(candidate, "score")) : std::string("-")}};
        for (const std::string& name : scorers) {
            row.push_back({precise(number_of(field(candidate, "terms"), name.c_str()))});
        }
        row.push_back({plain(number_of(candidate, "estimated_latency_ms"))});
        row.push_back({plain(number_of(candidate, "estimated_power_watts"))});
        row.push_back({refusals_text(candidate), Colour::yellow});
        table.add(std::move(row));
    }
    return conclusion(reply) + "\n\n" + table.text(colour);
}

}  // namespace ollama_proxy::app
