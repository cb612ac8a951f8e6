#include "ollama_proxy/config/load.hpp"
#include "support/places.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <map>
#include <set>

namespace ollama_proxy::config {
namespace {

using nlohmann::json;

json read_schema() {
    std::ifstream file(support::source_file("config/schema.json"));
    return json::parse(file);
}

const json& follow(const json& root, const json& node) {
    if (!node.contains("$ref")) return node;
    return root.at(json::json_pointer(node.at("$ref").get<std::string>().substr(1)));
}

/// The type of `KeyInfo` that a schema node describes.
std::string type_of(const json& node) {
    const json& type = node.at("type");
    if (type == json::array({"integer", "null"})) return "integer_or_null";
    if (type == json::array({"string", "array"})) return "string_or_strings";
    if (type == "array") {
        if (node.at("items").at("type") == "object") return "list";
        return node.at("items").contains("enum") ? "words" : "strings";
    }
    if (type == "object") return node.contains("properties") ? "section" : "string_map";
    if (type == "string" && node.contains("enum")) return "enum";
    return type;
}

void walk(const json& root, const json& object, const std::string& path,
          std::map<std::string, json>& out) {
    for (const auto& [name, value] : object.at("properties").items()) {
        const json& node = follow(root, value);
        const std::string key = path.empty() ? name : path + "." + name;
        out[key] = node;
        const std::string type = type_of(node);
        if (type == "section") walk(root, node, key, out);
        if (type == "list") walk(root, node.at("items"), key + "[]", out);
    }
}

std::string line(const KeyInfo& info) {
    json words = info.words;
    return info.path + " " + info.type + " " + json(info.minimum.value_or(-1e9)).dump() + ".." +
           json(info.maximum.value_or(1e9)).dump() + " " + words.dump();
}

TEST(Schema, HasExactlyTheKeysTypesAndRangesOfTheParser) {
    const json schema = read_schema();
    std::map<std::string, json> nodes;
    walk(schema, schema, "", nodes);
    std::set<std::string> from_schema;
    for (const auto& [path, node] : nodes) {
        KeyInfo info{path, type_of(node), {}, {}, {}};
        if (node.contains("minimum")) info.minimum = node.at("minimum").get<double>();
        if (node.contains("maximum")) info.maximum = node.at("maximum").get<double>();
        const json& words = info.type == "words" ? node.at("items") : node;
        if (words.contains("enum")) info.words = words.at("enum").get<std::vector<std::string>>();
        from_schema.insert(line(info));
    }
    std::set<std::string> from_parser;
    for (const KeyInfo& info : known_keys()) from_parser.insert(line(info));
    EXPECT_GT(from_parser.size(), 150U);
    EXPECT_THAT(from_schema, testing::ContainerEq(from_parser));
}

TEST(Schema, RefusesUnknownKeysAndDescribesEveryKey) {
    const json schema = read_schema();
    EXPECT_EQ(schema.at("$schema"), "https://json-schema.org/draft/2020-12/schema");
    EXPECT_EQ(schema.at("additionalProperties"), false);
    std::map<std::string, json> nodes;
    walk(schema, schema, "", nodes);
    for (const auto& [path, node] : nodes) {
        EXPECT_GT(node.value("description", "").size(), 5U) << path;
        const std::string type = type_of(node);
        if (type != "section" && type != "list") continue;
        const json& object = type == "list" ? node.at("items") : node;
        EXPECT_EQ(object.at("additionalProperties"), false) << path;
    }
}

json defaults_of(const json& schema, const json& object) {
    json out = json::object();
    for (const auto& [name, value] : object.at("properties").items()) {
        const json& node = follow(schema, value);
        if (type_of(node) == "section") {
            out[name] = defaults_of(schema, node);
        } else if (node.contains("default")) {
            out[name] = node.at("default");
        }
    }
    return out;
}

// JSON is YAML: the schema's defaults make a file that says what saying nothing means.
TEST(Schema, DefaultsAreThoseOfTheParser) {
    const json schema = read_schema();
    const auto said = load_text(defaults_of(schema, schema).dump(), "defaults.json", {});
    ASSERT_TRUE(said) << said.problems.at(0).to_string();
    const auto silent = load_default({});
    ASSERT_TRUE(silent);
    const Config& a = *said.config;
    const Config& b = *silent.config;
    EXPECT_EQ(a.server.host, b.server.host);
    EXPECT_EQ(a.server.http_port, b.server.http_port);
    EXPECT_EQ(a.server.grpc_port, b.server.grpc_port);
    EXPECT_EQ(a.server.limits.body_bytes, b.server.limits.body_bytes);
    EXPECT_EQ(a.server.limits.buffered_bytes, b.server.limits.buffered_bytes);
    EXPECT_EQ(a.server.limits.idle_timeout, b.server.limits.idle_timeout);
    EXPECT_EQ(a.server.rate_limit.rate, b.server.rate_limit.rate);
    EXPECT_EQ(a.router.power_aware, b.router.power_aware);
    EXPECT_EQ(a.router.retry.budget_percent, b.router.retry.budget_percent);
    EXPECT_EQ(a.queue.max_size, b.queue.max_size);
    EXPECT_EQ(a.queue.aging, b.queue.aging);
    EXPECT_EQ(a.health.idle_interval, b.health.idle_interval);
    EXPECT_EQ(a.circuit_breaker.max_open, b.circuit_breaker.max_open);
    EXPECT_EQ(a.websocket.frame_bytes, b.websocket.frame_bytes);
    EXPECT_EQ(a.monitors.sysfs_root, b.monitors.sysfs_root);
    EXPECT_EQ(a.thermal.recovery, b.thermal.recovery);
    EXPECT_EQ(a.efficiency.default_mode, b.efficiency.default_mode);
    EXPECT_EQ(a.efficiency.quiet_hours.start_hour, b.efficiency.quiet_hours.start_hour);
    EXPECT_EQ(a.efficiency.modes, b.efficiency.modes);
    EXPECT_EQ(a.logging.level, b.logging.level);
    EXPECT_EQ(a.discover_local, b.discover_local);
}

}  // namespace
}  // namespace ollama_proxy::config
