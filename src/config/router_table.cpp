#include "config/rows.hpp"
#include "config/tables.hpp"

namespace ollama_proxy::config {
namespace {

constexpr double kMaxWeight = 1000;

Table<Weights> weights_table() {
    const auto weight = [](std::string_view name, std::optional<double> Weights::* member) {
        return number(name, member, 0, kMaxWeight);
    };
    return {weight("latency", &Weights::latency),   weight("power", &Weights::power),
            weight("load", &Weights::load),         weight("hardware", &Weights::hardware),
            weight("thermal", &Weights::thermal),   weight("warmth", &Weights::warmth),
            weight("affinity", &Weights::affinity), weight("error_rate", &Weights::error_rate)};
}

Field<Router> aliases_field() {
    Field<Router> field{"aliases", {{}, "string_map", {}, {}, {}}, {}};
    field.read = [](Reader& reader, const Node* node, const std::string& key, Router& router) {
        const auto given = reader.string_map(*node, key);
        if (given) router.aliases = {given->begin(), given->end()};
    };
    return std::move(field).holds(&Router::aliases);
}

}  // namespace

Table<Router> router_table() {
    return {boolean("strict_latency", &Router::strict_latency),
            boolean("power_aware", &Router::power_aware),
            boolean("auto_optimize", &Router::auto_optimize),
            text("default_backend", &Router::default_backend).also("default_backend_id"),
            boolean("target_fallback", &Router::target_fallback),
            boolean("affinity", &Router::affinity),
            section("weights", &Router::weights, weights_table()),
            section("hedge", &Router::hedge,
                    {boolean("enabled", &Hedge::enabled),
                     integer("percentile", &Hedge::percentile, 1, 100),
                     integer("max_percent", &Hedge::max_percent, 0, 100)}),
            section("retry", &Router::retry,
                    {count("max_attempts", &Retry::max_attempts),
                     integer("budget_percent", &Retry::budget_percent, 0, 100),
                     count("budget_min", &Retry::budget_min, 0)}),
            aliases_field()};
}

}  // namespace ollama_proxy::config
