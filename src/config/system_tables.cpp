#include "config/rows.hpp"
#include "config/tables.hpp"

#include <algorithm>

namespace ollama_proxy::config {
namespace {

constexpr double kMaxWeight = 1000;

Field<ModeOverride> hardware_order_field() {
    const std::vector<std::string> words{"npu", "igpu", "nvidia", "amd", "cpu", "cloud"};
    Field<ModeOverride> field{"hardware", {{}, "words", {}, {}, words}, {}};
    field.read = [words](Reader& reader, const Node* node, const std::string& key,
                         ModeOverride& mode) {
        const auto given = reader.strings(*node, key);
        if (!given) return;
        std::vector<Hardware> order;
        for (std::size_t i = 0; i < given->size(); ++i) {
            const std::string item_key = key + "[" + std::to_string(i) + "]";
            const auto hardware = parse_hardware((*given)[i]);
            if (!hardware || *hardware == Hardware::unknown) {
                reader.not_a_word(*node->items[i], item_key, words);
            } else if (std::find(order.begin(), order.end(), *hardware) != order.end()) {
                reader.problem(item_key, "given twice");
            } else {
                order.push_back(*hardware);
            }
        }
        if (given->empty()) reader.problem(key, "an empty list would allow no backend");
        mode.hardware = std::move(order);
    };
    return field;
}

Table<ModeOverride> mode_table() {
    const auto weight = [](std::string_view name, std::optional<double> ModeOverride::* member) {
        return number(name, member, 0, kMaxWeight);
    };
    // The weights have a section of their own in the file, as in `router`.
    const Table<ModeOverride> weights{weight("latency", &ModeOverride::latency),
                                      weight("power", &ModeOverride::power),
                                      weight("load", &ModeOverride::load)};
    Field<ModeOverride> weights_field{"weights", {{}, "section", {}, {}, {}}, {}};
    weights_field.section = true;
    weights_field.read = [weights](Reader& reader, const Node* node, const std::string& key,
                                   ModeOverride& mode) {
        read_table(weights, reader, node, key, mode);
    };
    weights_field.children = [weights](const std::string& key, std::vector<KeyInfo>& out) {
        describe_table(weights, key, out);
    };
    return {std::move(weights_field),
            number("power_budget_watts", &ModeOverride::power_budget_watts, 0, 100'000),
            hardware_order_field(),
            number("fan_limit_percent", &ModeOverride::fan_limit_percent, 0, 100),
            count("max_concurrency", &ModeOverride::max_concurrency)};
}

ModeOverride override_of(const Efficiency& efficiency, Mode mode) {
    const auto found = efficiency.modes.find(mode);
    return found == efficiency.modes.end() ? ModeOverride{} : found->second;
}

Table<Efficiency> modes_table() {
    Table<Efficiency> table;
    for (const Mode mode : {Mode::performance, Mode::balanced, Mode::efficiency, Mode::quiet,
                            Mode::ultra_efficiency}) {
        Field<Efficiency> field{to_string(mode), {{}, "section", {}, {}, {}}, {}};
        field.section = true;
        field.loose_name = true;
        field.read = [mode](Reader& reader, const Node* node, const std::string& key,
                            Efficiency& efficiency) {
            ModeOverride change;
            read_table(mode_table(), reader, node, key, change);
            if (!(change == ModeOverride{})) efficiency.modes[mode] = std::move(change);
        };
        field.children = [](const std::string& key, std::vector<KeyInfo>& out) {
            describe_table(mode_table(), key, out);
        };
        field.compare = [mode](const std::string& key, const Efficiency& running,
                               Efficiency& read_now, Changes& out) {
            const ModeOverride before = override_of(running, mode);
            ModeOverride after = override_of(read_now, mode);
            compare_value(key, before, after, before == after, out);
        };
        table.push_back(std::move(field));
    }
    return table;
}

}  // namespace

Table<Monitors> monitors_table() {
    return {boolean("enabled", &Monitors::enabled),
            text("sysfs_root", &Monitors::sysfs_root),
            text("proc_root", &Monitors::proc_root),
            interval("interval_ms", &Monitors::interval),
            interval("idle_interval_ms", &Monitors::idle_interval),
            boolean("nvml", &Monitors::nvml)};
}

Table<Thermal> thermal_table() {
    const auto limits = [] {
        const auto degrees = [](std::string_view name, double Thermal::* member) {
            return number(name, member, 0, 150).marks(&Thermal::configured);
        };
        return Table<Thermal>{
            degrees("elevated", &Thermal::elevated), degrees("high", &Thermal::high),
            degrees("critical", &Thermal::critical), degrees("recovery", &Thermal::recovery)};
    };
    Table<Thermal> table = limits();
    Field<Thermal> thresholds{"thresholds", {}, {}};
    thresholds.read = [limits](Reader& reader, const Node* node, const std::string& key,
                               Thermal& thermal) {
        read_table(limits(), reader, node, key, thermal);
    };
    table.push_back(std::move(thresholds).as_hidden());
    return table;
}

Table<Efficiency> efficiency_table() {
    Field<Efficiency> modes{"modes", {{}, "section", {}, {}, {}}, {}};
    modes.section = true;
    modes.read = [](Reader& reader, const Node* node, const std::string& key,
                    Efficiency& efficiency) {
        read_table(modes_table(), reader, node, key, efficiency);
    };
    modes.children = [](const std::string& key, std::vector<KeyInfo>& out) {
        describe_table(modes_table(), key, out);
    };
    modes.compare = [](const std::string& key, const Efficiency& running, Efficiency& now,
                       Changes& out) { compare_table(modes_table(), key, running, now, out); };
    return {word("default_mode", &Efficiency::default_mode, parse_mode,
                 {"Performance", "Balanced", "Efficiency", "Quiet", "Auto", "UltraEfficiency"}),
            boolean("strict", &Efficiency::strict), boolean("remember", &Efficiency::remember),
            section("quiet_hours", &Efficiency::quiet_hours,
                    {boolean("enabled", &QuietHours::enabled),
                     integer("start_hour", &QuietHours::start_hour, 0, 23),
                     integer("end_hour", &QuietHours::end_hour, 0, 23)}),
            std::move(modes)};
}

Table<Efficiency> efficiency_modes_table() {
    Table<Efficiency> table = efficiency_table();
    for (auto& field : modes_table()) table.push_back(std::move(field));
    return table;
}

}  // namespace ollama_proxy::config
