// How two configurations are told apart, and what of a new one has to wait for a restart.
#include "ollama_proxy/config/changes.hpp"

#include "ollama_proxy/config/load.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

namespace ollama_proxy::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Config load(const std::string& yaml) {
    const auto result = load_text(yaml, "test.yaml", {});
    if (!result) throw std::runtime_error(result.problems.front().to_string());
    return *result.config;
}

Changes changes(const std::string& before, const std::string& after) {
    Config read = load(after);
    return take_over_running(load(before), read);
}

/// "server.limits.body_bytes" and "5" as a file.
std::string nested(const std::string& path, const std::string& value) {
    std::string out;
    std::string indent;
    for (std::size_t begin = 0;;) {
        const std::size_t dot = path.find('.', begin);
        out += indent + path.substr(begin, dot - begin) + ":";
        if (dot == std::string::npos) return out + " " + value + "\n";
        out += "\n";
        indent += "  ";
        begin = dot + 1;
    }
}

/// Two values of a key that differ; nothing for those that need more than themselves.
std::vector<std::string> two_values(const KeyInfo& key) {
    if (key.type == "boolean") return {"true", "false"};
    if (key.type == "enum") return {key.words.front(), key.words.back()};
    if (key.type == "words") return {"[" + key.words.front() + "]", "[" + key.words.back() + "]"};
    if (key.type == "strings" || key.type == "string_or_strings") {
        return {"[\"127.0.0.1\"]", "[\"::1\"]"};
    }
    if (key.type == "string_map") return {"{ one: two }", "{ one: three }"};
    if (key.type == "string") return {"/tmp/one", "/tmp/two"};
    if (key.minimum) {
        const int low = static_cast<int>(*key.minimum) + 1;
        return {std::to_string(low), std::to_string(low + 1)};
    }
    return {};
}

bool names(const Changes& changes, const std::string& key) {
    return std::ranges::any_of(changes.keys, [&](const std::string& one) {
        return key == one || key.starts_with(one + ".");
    });
}

TEST(Changes, OfTheSameFileThereAreNone) {
    const std::string file =
        "queue: { max_size: 5 }\nbackends:\n  - { id: a, endpoint: \"http://a:1\" }\n";
    EXPECT_TRUE(changes(file, file).none());
}

TEST(Changes, EveryKeyOfTheFileIsSeenWhenItChanges) {
    std::size_t seen = 0;
    for (const KeyInfo& key : known_keys()) {
        const bool inside_list = key.path.find("[]") != std::string::npos;
        if (inside_list || key.type == "section" || key.type == "list") continue;
        const auto values = two_values(key);
        ASSERT_EQ(values.size(), 2U) << key.path << " of type " << key.type;
        // what stands in for others' sake: limits in their order, a backend to be named
        std::vector<Config> loaded;
        for (const std::string& value : values) {
            const auto result = load_text(nested(key.path, value), "test.yaml", {});
            if (result) loaded.push_back(*result.config);
        }
        if (loaded.size() != 2) continue;
        ++seen;
        EXPECT_TRUE(names(take_over_running(loaded[0], loaded[1]), key.path)) << key.path;
    }
    EXPECT_GT(seen, 90U);
}

TEST(Changes, ThoseThatNeedMoreThanThemselvesAreSeenToo) {
    EXPECT_THAT(changes("thermal: { high: 85 }", "thermal: { high: 86 }").keys,
                ElementsAre("thermal.high"));
    EXPECT_THAT(changes("backends: [ { id: a, endpoint: \"http://a:1\" } ]",
                        "backends: [ { id: a, endpoint: \"http://a:1\" } ]\n"
                        "router: { default_backend: a }")
                    .keys,
                ElementsAre("router.default_backend"));
    const std::string keys = "server: { auth: { enabled: true, api_keys: [ { name: a, key_sha256: ";
    const std::string end = " } ] } }";
    EXPECT_THAT(changes(keys + std::string(64, 'a') + end, keys + std::string(64, 'b') + end).keys,
                ElementsAre("server.auth.api_keys"));
}

TEST(Changes, ALimitThatIsGivenAtItsDefaultIsAChangeBecauseSensorsNoLongerReplaceIt) {
    EXPECT_FALSE(changes("thermal: {}", "thermal: { high: 85 }").none());
}

TEST(Changes, BackendsAreToldByTheirIdsWhateverTheirOrder) {
    const std::string a = "  - { id: a, endpoint: \"http://a:1\" }\n";
    const std::string b = "  - { id: b, endpoint: \"http://b:1\" }\n";
    const std::string other_b = "  - { id: b, endpoint: \"http://b:2\" }\n";
    const std::string c = "  - { id: c, endpoint: \"http://c:1\" }\n";
    EXPECT_TRUE(changes("backends:\n" + a + b, "backends:\n" + b + a).none());
    const Changes seen = changes("backends:\n" + a + b, "backends:\n" + other_b + c);
    EXPECT_THAT(seen.added, ElementsAre("c"));
    EXPECT_THAT(seen.removed, ElementsAre("a"));
    EXPECT_THAT(seen.changed, ElementsAre("b"));
    EXPECT_THAT(seen.keys, IsEmpty());
}

TEST(Changes, WhatNeedsARestartKeepsItsValueAndIsNamed) {
    const Config running = load("server: { http_port: 8080 }");
    Config read = load("server: { http_port: 9090, shutdown_grace_ms: 5 }");
    const Changes seen = take_over_running(running, read);
    EXPECT_THAT(seen.keys, ElementsAre("server.http_port", "server.shutdown_grace_ms"));
    EXPECT_THAT(seen.need_restart, ElementsAre("server.http_port"));
    EXPECT_EQ(read.server.http_port, 8080);
    EXPECT_EQ(read.server.shutdown_grace, milliseconds(5));
    EXPECT_TRUE(take_over_running(running, read).need_restart.empty())
        << "what is in force is compared, not what the file said";
}

TEST(Changes, EveryKeyThatNeedsARestartIsAKeyOfTheFile) {
    std::set<std::string, std::less<>> known;
    for (const KeyInfo& key : known_keys()) known.insert(key.path);
    for (const std::string_view key : keys_that_need_restart()) {
        EXPECT_TRUE(known.contains(key)) << key;
    }
}

}  // namespace
}  // namespace ollama_proxy::config
