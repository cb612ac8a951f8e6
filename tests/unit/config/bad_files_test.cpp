#include "ollama_proxy/config/load.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace ollama_proxy::config {
namespace {

struct BadFile {
    const char* name;
    std::string yaml;
    int line;
    int column;
    const char* key;
    const char* says;  ///< part of the message
};

void PrintTo(const BadFile& bad, std::ostream* out) { *out << bad.name; }

std::string backend(const std::string& more) {
    return "backends:\n  - id: a\n    endpoint: http://localhost:1\n" + more;
}

class BadFiles : public testing::TestWithParam<BadFile> {};

TEST_P(BadFiles, NameLineColumnKeyAndRemedy) {
    const BadFile& bad = GetParam();
    const LoadResult result = load_text(bad.yaml, "bad.yaml", {});
    EXPECT_FALSE(result);
    ASSERT_EQ(result.problems.size(), 1U)
        << (result.problems.empty() ? "" : result.problems.back().to_string());
    const Problem& problem = result.problems.front();
    EXPECT_EQ(problem.file, "bad.yaml");
    EXPECT_EQ(problem.line, bad.line) << problem.to_string();
    EXPECT_EQ(problem.column, bad.column) << problem.to_string();
    EXPECT_EQ(problem.key, bad.key) << problem.to_string();
    EXPECT_NE(problem.text.find(bad.says), std::string::npos) << problem.to_string();
}

const BadFile kBadFiles[] = {
    // syntax
    {"TabIndent", "server:\n\thost: x\n", 2, 6, "", "YAML syntax"},
    {"UnclosedList", "server: { host: [a, b }\n", 1, 23, "", "YAML syntax"},
    {"UnclosedQuote", "state_dir: \"a\\\"b\nqueue: {}\n", 1, 12, "", "never closed"},
    {"UnclosedSingleQuote", "state_dir: &a 'it''s\n", 1, 12, "", "never closed"},
    {"UnclosedQuoteAtTheEnd", "state_dir: \"abc", 1, 16, "", "YAML syntax"},
    {"NulByte", std::string("state_dir: a\0b\n", 15), 0, 0, "", "not UTF-8"},
    {"UnknownAlias", "server: *nobody\n", 1, 9, "", "YAML syntax"},
    {"SecondDocument", "server: {}\n---\nrouter: {}\n", 2, 1, "", "second YAML document"},
    {"SelfAlias", "server: &a\n  limits: *a\n", 2, 11, "", "inside its own anchor"},
    // shape
    {"RootIsAList", "- server\n", 1, 1, "", "found a list"},
    {"RootIsText", "hello\n", 1, 1, "", "expected a section"},
    {"SectionIsText", "server: yes\n", 1, 9, "server", "expected a section"},
    {"SectionIsAList", "queue: [1]\n", 1, 8, "queue", "found a list"},
    {"BackendsIsASection", "backends: { id: a }\n", 1, 11, "backends", "expected a list"},
    {"BackendIsText", "backends:\n  - ollama\n", 2, 5, "backends[0]", "expected a section"},
    {"ListAsKey", "server:\n  [a]: 1\n", 2, 3, "server", "a key must be plain text"},
    // unknown and repeated keys
    {"UnknownSection", "sever:\n  http_port: 1\n", 1, 1, "sever", "did you mean \"server\"?"},
    {"UnknownKey", "server:\n  http_prot: 1\n", 2, 3, "server.http_prot", "\"http_port\"?"},
    {"UnknownDeepKey", "server: { limits: { body_byte: 5 } }\n", 1, 21, "server.limits.body_byte",
     "did you mean \"body_bytes\"?"},
    {"KeyInTheWrongSection", "queue: { interval_ms: 500 }\n", 1, 10, "queue.interval_ms",
     "unknown key"},
    {"SecretInTheFile", backend("    api_key: sk-123\n"), 4, 5, "backends[0].api_key",
     "did you mean \"api_key_env\"?"},
    {"KeyTwice", "server:\n  http_port: 1\n  http_port: 2\n", 3, 3, "server.http_port",
     "given twice"},
    {"SectionTwice", "queue: {}\nrouter: {}\nqueue: {}\n", 3, 1, "queue", "given twice"},
    {"KeyAndItsOldSpelling", "router: {}\nrouting: {}\n", 2, 1, "routing",
     "spelling of \"router\""},
    {"AliasTwice", "router: { aliases: { a: b, a: c } }\n", 1, 28, "router.aliases.a",
     "given twice"},
    // types
    {"PortAsText", "server: { http_port: \"8080\" }\n", 1, 22, "server.http_port",
     "found the text \"8080\""},
    {"PortAsWord", "server: { http_port: http }\n", 1, 22, "server.http_port", "a whole number"},
    {"PortAsFraction", "server: { http_port: 80.5 }\n", 1, 22, "server.http_port", "0..65535"},
    {"NothingGiven", "server:\n  http_port:\n", 2, 3, "server.http_port", "found nothing"},
    {"BooleanAsYes", "metrics: { enabled: yes }\n", 1, 21, "metrics.enabled", "true or false"},
    {"BooleanAsNumber", "metrics: { enabled: 1 }\n", 1, 21, "metrics.enabled", "true or false"},
    {"TextAsList", "state_dir: [a]\n", 1, 12, "state_dir", "expected text"},
    {"ListAsText", "server: { allowed_hosts: a }\n", 1, 26, "server.allowed_hosts",
     "list of texts"},
    {"EmptyListItem", "server: { allowed_hosts: [\"\"] }\n", 1, 27, "server.allowed_hosts[0]",
     "empty text"},
    {"MapAsList", "router: { aliases: [a] }\n", 1, 20, "router.aliases", "names with texts"},
    {"ControlCharacter", "state_dir: \"a\\nb\"\n", 1, 12, "state_dir", "control characters"},
    {"NumberNotANumber", "thermal: { high: .nan }\n", 1, 18, "thermal.high", "a number"},
    {"NumberNaN", "thermal: { high: nan }\n", 1, 18, "thermal.high", "a number"},
    {"NumberInfinite", "router: { weights: { load: inf } }\n", 1, 28, "router.weights.load",
     "0..1000"},
    // ranges
    {"PortTooLarge", "server: { http_port: 65536 }\n", 1, 22, "server.http_port",
     "65536 is out of range, expected a whole number, 0..65535"},
    {"PortNegative", "server: { grpc_port: -1 }\n", 1, 22, "server.grpc_port", "out of range"},
    {"PortEndless", "server: { http_port: 99999999999999999999 }\n", 1, 22, "server.http_port",
     "out of range"},
    {"CountZero", backend("    max_concurrency: 0\n"), 4, 22, "backends[0].max_concurrency",
     "1..1000000"},
    {"QueueTooLarge", "queue: { max_size: 1000001 }\n", 1, 20, "queue.max_size", "0..1000000"},
    {"DurationZero", "queue: { timeout_ms: 0 }\n", 1, 22, "queue.timeout_ms", "1..86400000"},
    {"DurationOverADay", "queue: { aging_ms: 86400001 }\n", 1, 20, "queue.aging_ms", "1..86400000"},
    {"IntervalTooShort", "health: { interval_ms: 99 }\n", 1, 24, "health.interval_ms",
     "100..86400000"},
    {"PercentOver100", "circuit_breaker: { failure_percent: 101 }\n", 1, 37,
     "circuit_breaker.failure_percent", "1..100"},
    {"HourOver23", "efficiency: { quiet_hours: { start_hour: 24 } }\n", 1, 42,
     "efficiency.quiet_hours.start_hour", "0..23"},
    {"NegativeWeight", "router: { weights: { power: -1 } }\n", 1, 29, "router.weights.power",
     "0..1000"},
    {"NegativeWatts", backend("    characteristics: { power_watts: -3 }\n"), 4, 37,
     "backends[0].characteristics.power_watts", "0..100000"},
    // words
    {"UnknownMode", "efficiency: { default_mode: Balance }\n", 1, 29, "efficiency.default_mode",
     "did you mean \"Balanced\"?"},
    {"UnknownLogLevel", "logging: { level: verbose }\n", 1, 19, "logging.level",
     "trace, debug, info, warn, error, off"},
    {"UnknownHardware", backend("    hardware: nvida\n"), 4, 15, "backends[0].hardware",
     "did you mean \"nvidia\"?"},
    {"HardwareUnknownIsNoWord", backend("    hardware: unknown\n"), 4, 15, "backends[0].hardware",
     "expected one of npu"},
    {"UnknownType", backend("    type: olama\n"), 4, 11, "backends[0].type", "\"ollama\"?"},
    {"OverriddenAuto", "efficiency: { modes: { Auto: {} } }\n", 1, 24, "efficiency.modes.Auto",
     "unknown key"},
    {"ModeHardware", "efficiency: { modes: { quiet: { hardware: [npu, nvida] } } }\n", 1, 49,
     "efficiency.modes.Quiet.hardware[1]", "did you mean \"nvidia\"?"},
    {"ModeHardwareTwice", "efficiency: { modes: { quiet: { hardware: [npu, npu] } } }\n", 1, 49,
     "efficiency.modes.Quiet.hardware[1]", "given twice"},
    // backends
    {"NoId", "backends:\n  - endpoint: http://localhost:1\n", 2, 5, "backends[0].id", "missing"},
    {"NoEndpoint", "backends:\n  - id: a\n", 2, 5, "backends[0].endpoint", "missing"},
    {"BadId", "backends:\n  - id: \"a b\"\n    endpoint: http://localhost:1\n", 2, 9,
     "backends[0].id", "letters, digits"},
    {"SameId", backend("  - id: a\n    endpoint: http://localhost:2\n"), 4, 9, "backends[1].id",
     "backends[0] already"},
    {"EndpointWithoutScheme", "backends:\n  - id: a\n    endpoint: localhost:11434\n", 3, 15,
     "backends[0].endpoint", "did you mean \"http://localhost:11434\"?"},
    {"EndpointWithPassword", "backends:\n  - id: a\n    endpoint: http://u:p@localhost\n", 3, 15,
     "backends[0].endpoint", "does not belong"},
    {"EndpointWithQuery", "backends:\n  - { id: a, endpoint: \"http://localhost/?k=1\" }\n", 2, 24,
     "backends[0].endpoint", "query"},
    {"HeaderName", backend("    headers: { \"a b\": c }\n"), 4, 23, "backends[0].headers.a b",
     "not a header name"},
    {"FramingHeader", backend("    headers: { Content-Length: 5 }\n"), 4, 32,
     "backends[0].headers.Content-Length", "by the proxy itself"},
    {"HeaderInjection", backend("    headers: { a: \"b\\r\\nc: d\" }\n"), 4, 19,
     "backends[0].headers.a", "control characters"},
    {"BackendKeyNotSet", backend("    type: openai\n    api_key_env: NO_SUCH\n"), 5, 18,
     "backends[0].api_key_env", "NO_SUCH is not set"},
    {"CaFileMissing", backend("    ca_file: /nonexistent/ca.pem\n"), 4, 14, "backends[0].ca_file",
     "does not exist"},
    // more than one key
    {"OpenToTheNetwork", "server:\n  host: \"0.0.0.0\"\n", 2, 9, "server.host",
     "allow_unauthenticated"},
    {"OpenToTheNetworkInAList", "server: { host: [127.0.0.1, 192.168.1.5] }\n", 1, 29,
     "server.host[1]", "loopback"},
    {"OpenWithKeysSwitchedOff",
     "server: { host: '::', auth: { api_keys: [ { key_sha256: "
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 } ] } }\n",
     1, 17, "server.host", "open to the network"},
    {"HostName", "server: { host: example.com }\n", 1, 17, "server.host", "an IP address"},
    {"NoHost", "server: { host: [] }\n", 1, 17, "server.host", "at least one"},
    {"DefaultBackend", "router: { default_backend: b }\n" + backend(""), 1, 28,
     "router.default_backend", "no backend has the id \"b\""},
    {"AliasOfNothing", "router: { aliases: { a: \"\" } }\n", 1, 25, "router.aliases.a", "empty"},
    {"AliasOfItself", "router: { aliases: { a: a } }\n", 1, 25, "router.aliases.a", "itself"},
    {"AliasOfAlias", "router: { aliases: { a: b, b: c } }\n", 1, 25, "router.aliases.a",
     "an alias too"},
    {"AllSlotsReserved", "queue: { reserved_slots: 2 }\n" + backend("    max_concurrency: 2\n"), 1,
     26, "queue.reserved_slots", "slots - 1"},
    {"ThermalOrder", "thermal: { high: 95 }\n", 1, 18, "thermal.high", "below critical (90)"},
    {"ThermalRecovery", "thermal: { recovery: 80 }\n", 1, 22, "thermal.recovery", "elevated (80)"},
    {"BreakerOrder", "circuit_breaker: { max_open_ms: 100 }\n", 1, 33,
     "circuit_breaker.max_open_ms", "open_ms"},
    // keys
    {"AuthWithoutKeys", "server: { auth: { enabled: true } }\n", 1, 28, "server.auth.enabled",
     "lists no key"},
    {"KeyNotSet", "server: { auth: { enabled: true, api_keys: [ { key_env: NO_SUCH } ] } }\n", 1,
     57, "server.auth.api_keys[0].key_env", "NO_SUCH is not set"},
    {"KeyFileMissing",
     "server: { auth: { enabled: true, api_keys: [ { key_file: /nonexistent } ] } }\n", 1, 58,
     "server.auth.api_keys[0].key_file", "cannot be read"},
    {"KeyHash", "server: { auth: { api_keys: [ { key_sha256: abc } ] } }\n", 1, 45,
     "server.auth.api_keys[0].key_sha256", "64 hexadecimal digits"},
    {"KeyWithoutSource", "server: { auth: { api_keys: [ { name: a } ] } }\n", 1, 31,
     "server.auth.api_keys[0]", "one of key_env, key_file, key_sha256"},
    {"KeyWithTwoSources", "server: { auth: { api_keys: [ { key_env: A, key_file: b } ] } }\n", 1,
     31, "server.auth.api_keys[0]", "only one of"},
    {"KeyPermission",
     "server: { auth: { api_keys: [ { key_env: A, permissions: [read, write] } ] } }\n", 1, 65,
     "server.auth.api_keys[0].permissions[1]", "inference, read, admin"},
};

INSTANTIATE_TEST_SUITE_P(Table, BadFiles, testing::ValuesIn(kBadFiles),
                         [](const auto& row) { return row.param.name; });

TEST(BadFile, ReportsEveryMistakeAtOnceInFileOrder) {
    const auto result = load_text(
        "server:\n  http_port: 70000\n  host: 0.0.0.0\nqueue:\n  size: 5\n"
        "backends:\n  - id: a\n    endpoint: nowhere\n",
        "many.yaml", {});
    ASSERT_EQ(result.problems.size(), 4U);
    EXPECT_EQ(result.problems[0].to_string(),
              "many.yaml:2:14: server.http_port: 70000 is out of range, expected a whole number, "
              "0..65535");
    EXPECT_EQ(result.problems[1].key, "server.host");
    EXPECT_EQ(result.problems[2].key, "queue.size");
    EXPECT_EQ(result.problems[3].key, "backends[0].endpoint");
}

TEST(BadFile, OpenHostNamesBothRemedies) {
    const auto result = load_text("server: { host: 0.0.0.0 }\n", "f", {});
    ASSERT_EQ(result.problems.size(), 1U);
    for (const char* remedy : {"127.0.0.1", "server.auth", "server.allow_unauthenticated"}) {
        EXPECT_NE(result.problems[0].text.find(remedy), std::string::npos) << remedy;
    }
}

TEST(BadFile, OverOneMebibyteIsNotParsed) {
    const auto result = load_text(std::string(1024 * 1024 + 1, '#'), "f", {});
    ASSERT_EQ(result.problems.size(), 1U);
    EXPECT_NE(result.problems[0].text.find("1 MiB"), std::string::npos);
}

TEST(BadFile, NestedAliasesAreCountedNotExpanded) {
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i <= 12; ++i) {
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int j = 0; j < 10; ++j) bomb += (j ? ", *a" : "*a") + std::to_string(i - 1);
        bomb += "]\n";
    }
    const auto result = load_text(bomb, "bomb.yaml", {});
    ASSERT_EQ(result.problems.size(), 1U);
    EXPECT_NE(result.problems[0].text.find("values once aliases are followed"), std::string::npos);
    EXPECT_EQ(result.problems[0].line, 5);
}

TEST(BadFile, DeepNestingIsRefusedWithItsPlace) {
    for (const std::size_t depth : {33U, 400U, 5000U}) {
        const auto result = load_text("server: " + std::string(depth, '['), "deep.yaml", {});
        ASSERT_EQ(result.problems.size(), 1U) << depth;
        EXPECT_NE(result.problems[0].text.find("deeper"), std::string::npos)
            << result.problems[0].to_string();
    }
}

TEST(BadFile, DeepNestingThroughAliasesIsRefused) {
    std::string deep = "a0: &a0 [x]\n";
    for (int i = 1; i <= 40; ++i) {
        deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" +
                std::to_string(i - 1) + "]\n";
    }
    const auto result = load_text(deep, "deep.yaml", {});
    ASSERT_EQ(result.problems.size(), 1U);
    EXPECT_NE(result.problems[0].text.find("deeper"), std::string::npos);
}

TEST(BadFile, ThatIsNoFileSaysSo) {
    const auto missing = load_file("/nonexistent/config.yaml", {});
    ASSERT_EQ(missing.problems.size(), 1U);
    EXPECT_EQ(missing.problems[0].to_string(), "/nonexistent/config.yaml: no such file");
    const auto directory = load_file(testing::TempDir(), {});
    ASSERT_EQ(directory.problems.size(), 1U);
    EXPECT_NE(directory.problems[0].text.find("directory"), std::string::npos);
    const auto device = load_file("/dev/zero", {});
    ASSERT_EQ(device.problems.size(), 1U);
    EXPECT_NE(device.problems[0].text.find("regular"), std::string::npos);
}

}  // namespace
}  // namespace ollama_proxy::config
