#include "ollama_proxy/config/load.hpp"

#include "config/api_key.hpp"
#include "config/environment.hpp"
#include "support/places.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace ollama_proxy::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::shared_ptr<const Config> good(std::string_view yaml, const Environment& environment = {}) {
    const auto result = load_text(yaml, "test.yaml", environment);
    for (const Problem& problem : result.problems) ADD_FAILURE() << problem.to_string();
    return result ? result.config : std::make_shared<Config>();
}

std::string hex(const std::array<unsigned char, 32>& bytes) {
    std::string out;
    for (const unsigned char byte : bytes) {
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15];
    }
    return out;
}

class TemporaryFile {
  public:
    TemporaryFile(const std::string& name, const std::string& text, mode_t mode = 0600)
        : path_(testing::TempDir() + "config_test_" + std::to_string(::getpid()) + "_" + name) {
        std::ofstream(path_) << text;
        ::chmod(path_.c_str(), mode);
    }
    ~TemporaryFile() { std::filesystem::remove(path_); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

TEST(Load, EmptyFileGivesTheDefaults) {
    for (const char* yaml : {"", "\n", "# only a comment\n", "{}", "server:\nrouter: ~\n"}) {
        const auto config = good(yaml);
        EXPECT_THAT(config->server.host, ElementsAre("127.0.0.1")) << yaml;
        EXPECT_EQ(config->server.http_port, 8080);
        EXPECT_EQ(config->server.grpc_port, 50051);
        EXPECT_EQ(config->queue.timeout, 30s);
        EXPECT_TRUE(config->discover_local);
        EXPECT_EQ(config->source, "test.yaml");
    }
}

TEST(Load, BuiltInDefaultsDiscoverLocalServers) {
    const auto result = load_default({{{"HOME", "/home/me"}}});
    ASSERT_TRUE(result);
    EXPECT_TRUE(result.config->discover_local);
    EXPECT_THAT(result.config->backends, IsEmpty());
    EXPECT_EQ(result.config->source, "built-in defaults");
    EXPECT_EQ(result.config->state_dir, "/home/me/.local/state/ollama-proxy");
}

TEST(Load, ListedBackendsSwitchDiscoveryOff) {
    EXPECT_FALSE(good("backends: []")->discover_local);
    EXPECT_FALSE(good("backends: [{ id: a, endpoint: 'http://h' }]")->discover_local);
}

TEST(Load, ShippedFileIsTheReferenceMachine) {
    const auto result = load_file(support::source_file("config/config.yaml"), {});
    ASSERT_TRUE(result) << result.problems.at(0).to_string();
    EXPECT_THAT(result.warnings, IsEmpty());
    const Config& config = *result.config;
    EXPECT_THAT(config.server.host, ElementsAre("127.0.0.1"));
    ASSERT_THAT(config.backends, SizeIs(4));
    struct Row {
        const char* id;
        Hardware hardware;
        double watts;
        milliseconds latency;
        int priority;
        int port;
        double gigabytes;
    };
    const Row rows[] = {{"ollama-npu", Hardware::npu, 3, 800ms, 3, 11434, 2},
                        {"ollama-igpu", Hardware::igpu, 12, 400ms, 2, 11435, 8},
                        {"ollama-nvidia", Hardware::nvidia, 55, 150ms, 1, 11436, 0},
                        {"ollama-cpu", Hardware::cpu, 28, 2000ms, 0, 11437, 16}};
    for (std::size_t i = 0; i < 4; ++i) {
        const Backend& backend = config.backends[i];
        EXPECT_EQ(backend.id, rows[i].id);
        EXPECT_EQ(backend.hardware, rows[i].hardware);
        EXPECT_EQ(backend.characteristics.power_watts, rows[i].watts);
        EXPECT_EQ(backend.characteristics.avg_latency, rows[i].latency);
        EXPECT_EQ(backend.characteristics.priority, rows[i].priority);
        EXPECT_EQ(backend.endpoint.host, "localhost");
        EXPECT_EQ(backend.endpoint.port, rows[i].port);
        EXPECT_EQ(backend.max_concurrency, 4U);
        EXPECT_EQ(backend.max_in_flight, 16U);
        EXPECT_EQ(backend.model_capability.max_model_size_gb, rows[i].gigabytes);
        const bool unlimited = backend.hardware == Hardware::nvidia;
        EXPECT_EQ(backend.model_capability.excluded_patterns.empty(), unlimited);
    }
    EXPECT_THAT(config.backends[0].model_capability.supported_model_patterns,
                ElementsAre("*:0.5b", "*:1b", "*:1.5b"));
}

TEST(Load, ReadsEverySortOfValue) {
    const auto config = good(R"(
server:
  host: ["127.0.0.1", "::1"]
  http_port: 0
  grpc_port: null
  allowed_origins: ["https://chat.example"]
  limits: { header_timeout_ms: 1500, body_bytes: 2000000000 }
  rate_limit: { enabled: true, rate: 0.5 }
router:
  weights: { warmth: 1.5 }
  aliases: { "gpt-4o-mini": "qwen2.5:7b", gpt-4: llama3 }
thermal: { critical: 97.5 }
logging: { level: Debug, format: journal }
efficiency:
  default_mode: ultra-efficiency
  modes:
    quiet: { weights: { power: 3 }, power_budget_watts: 9, hardware: [igpu, npu], fan_limit_percent: 30 }
    UltraEfficiency: { max_concurrency: 1 }
    Balanced: {}
state_dir: /var/lib/proxy
)");
    EXPECT_THAT(config->server.host, ElementsAre("127.0.0.1", "::1"));
    EXPECT_EQ(config->server.http_port, 0);
    EXPECT_EQ(config->server.grpc_port, std::nullopt);
    EXPECT_THAT(config->server.allowed_origins, ElementsAre("https://chat.example"));
    EXPECT_EQ(config->server.limits.header_timeout, 1500ms);
    EXPECT_EQ(config->server.limits.body_bytes, 2'000'000'000U);
    EXPECT_TRUE(config->server.rate_limit.enabled);
    EXPECT_EQ(config->server.rate_limit.rate, 0.5);
    EXPECT_EQ(config->router.weights.warmth, 1.5);
    EXPECT_EQ(config->router.weights.power, std::nullopt);
    EXPECT_EQ(config->router.aliases.at("gpt-4o-mini"), "qwen2.5:7b");
    EXPECT_EQ(config->thermal.critical, 97.5);
    EXPECT_TRUE(config->thermal.configured);
    EXPECT_EQ(config->logging.level, LogLevel::debug);
    EXPECT_EQ(config->logging.format, LogFormat::journal);
    EXPECT_EQ(config->efficiency.default_mode, Mode::ultra_efficiency);
    ASSERT_THAT(config->efficiency.modes, SizeIs(2));
    const ModeOverride& quiet = config->efficiency.modes.at(Mode::quiet);
    EXPECT_EQ(quiet.power, 3);
    EXPECT_EQ(quiet.latency, std::nullopt);
    EXPECT_EQ(quiet.power_budget_watts, 9);
    EXPECT_THAT(*quiet.hardware, ElementsAre(Hardware::igpu, Hardware::npu));
    EXPECT_EQ(quiet.fan_limit_percent, 30);
    EXPECT_EQ(config->efficiency.modes.at(Mode::ultra_efficiency).max_concurrency, 1U);
    EXPECT_EQ(config->state_dir, "/var/lib/proxy");
}

TEST(Load, ThermalIsNotConfiguredUnlessALimitIsGiven) {
    EXPECT_FALSE(good("thermal: {}")->thermal.configured);
}

TEST(Load, CompletesABackendFromWhatIsKnownOfIt) {
    const auto config = good(R"(
backends:
  - { id: a, endpoint: "http://h:1", hardware: amd }
  - { id: b, endpoint: "http://h:2", type: openai, hardware: cloud, name: "B", max_in_flight: 5 }
  - { id: c, endpoint: "http://h:3", hardware: npu, max_concurrency: 3, characteristics: { power_watts: 0 } }
  - { id: d, endpoint: "http://h:4" }
)");
    ASSERT_THAT(config->backends, SizeIs(4));
    const Backend& a = config->backends[0];
    EXPECT_EQ(a.name, "a");
    EXPECT_EQ(a.max_concurrency, 1U);
    EXPECT_FALSE(a.max_concurrency_given);
    EXPECT_EQ(a.max_in_flight, 4U);
    EXPECT_TRUE(a.characteristics.power_known);
    EXPECT_EQ(a.characteristics.power_watts, 45);
    EXPECT_EQ(a.characteristics.avg_latency, 200ms);
    const Backend& b = config->backends[1];
    EXPECT_EQ(b.name, "B");
    EXPECT_EQ(b.max_concurrency, 4U);
    EXPECT_EQ(b.max_in_flight, 5U);
    EXPECT_FALSE(b.characteristics.power_known);
    EXPECT_FALSE(b.characteristics.latency_known);
    const Backend& c = config->backends[2];
    EXPECT_TRUE(c.max_concurrency_given);
    EXPECT_EQ(c.max_in_flight, 12U);
    EXPECT_TRUE(c.characteristics.power_known);
    EXPECT_EQ(c.characteristics.power_watts, 0);
    EXPECT_EQ(c.characteristics.avg_latency, 800ms);
    EXPECT_EQ(config->backends[3].hardware, Hardware::unknown);
    EXPECT_FALSE(config->backends[3].characteristics.power_known);
}

TEST(Load, AcceptsTheOlderSpellings) {
    const auto config = good(R"(
routing: { default_backend_id: a, strict_latency: true }
thermal: { thresholds: { high: 86, critical: 95 } }
efficiency_modes:
  default_mode: Quiet
  performance: { power_budget_watts: 99 }
backends:
  - { id: a, endpoint: "http://h:1", priority: 7 }
)");
    EXPECT_EQ(config->router.default_backend, "a");
    EXPECT_TRUE(config->router.strict_latency);
    EXPECT_EQ(config->thermal.high, 86);
    EXPECT_EQ(config->thermal.critical, 95);
    EXPECT_TRUE(config->thermal.configured);
    EXPECT_EQ(config->efficiency.default_mode, Mode::quiet);
    EXPECT_EQ(config->efficiency.modes.at(Mode::performance).power_budget_watts, 99);
    EXPECT_EQ(config->backends.at(0).characteristics.priority, 7);
}

TEST(Load, IsNotMisledByQuotesAndMarks) {
    EXPECT_EQ(good("\xEF\xBB\xBFstate_dir: 'it''s'")->state_dir, "it's");
    EXPECT_EQ(good("state_dir: \"a\\\\\"")->state_dir, "a\\");
    EXPECT_EQ(good("state_dir: &x !!str \"a'b\"\n# \"\n")->state_dir, "a'b");
}

TEST(Load, FollowsYamlAliases) {
    const auto config = good(R"(
backends:
  - { id: a, endpoint: "http://h:1", timeouts: &slow { connect_ms: 9000 } }
  - { id: b, endpoint: "http://h:2", timeouts: *slow }
)");
    EXPECT_EQ(config->backends.at(1).timeouts.connect, 9s);
}

TEST(ApiKeys, AreHashedFromEverySource) {
    const TemporaryFile file("key", "from-file\r\n");
    const auto config = good(
        "server: { host: 0.0.0.0, auth: { enabled: true, api_keys: ["
        "{ name: e, key_env: MY_KEY, permissions: [admin] },"
        "{ key_file: \"" +
            file.path() +
            "\" },"
            "{ name: h, key_sha256: "
            "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD } ] } }",
        {{{"MY_KEY", "abc"}}});
    const auto& keys = config->server.auth.api_keys;
    ASSERT_THAT(keys, SizeIs(3));
    // FIPS 180-2, appendix B.1: SHA-256 of "abc".
    EXPECT_EQ(hex(keys[0].sha256),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(keys[2].sha256, keys[0].sha256);
    EXPECT_EQ(keys[1].sha256, sha256("from-file"));
    EXPECT_EQ(keys[1].name, "key-2");
    EXPECT_EQ(keys[0].permissions, (Permissions{false, false, true}));
    EXPECT_EQ(keys[1].permissions, (Permissions{true, true, false}));
}

TEST(ApiKeys, ThatAreNotThereOnlyWarnWhileAuthIsOff) {
    const auto result =
        load_text("server: { auth: { api_keys: [ { key_env: NO_SUCH } ] } }", "f", {});
    ASSERT_TRUE(result);
    EXPECT_THAT(result.config->server.auth.api_keys, IsEmpty());
    EXPECT_THAT(result.warnings, ElementsAre(HasSubstr("NO_SUCH is not set")));
}

TEST(ApiKeys, ThatAreIgnoredNeedNotBeThereAndStillProtectTheAddress) {
    const std::string yaml =
        "server: { host: 0.0.0.0, auth: { enabled: true, api_keys: ["
        "{ key_env: NO_SUCH }, { key_file: /no/such } ] } }\n"
        "backends: [ { id: a, endpoint: 'http://h', api_key_env: NO_SUCH_EITHER } ]\n";
    EXPECT_FALSE(load_text(yaml, "f", {}));
    const auto result = load_text(yaml, "f", {}, Secrets::ignored);
    for (const Problem& problem : result.problems) ADD_FAILURE() << problem.to_string();
    EXPECT_FALSE(load_text(yaml + "sever: {}\n", "f", {}, Secrets::ignored));
}

TEST(ApiKeys, InAFileThatOthersMayReadWarn) {
    const TemporaryFile file("open_key", "secret", 0644);
    const auto result = load_text(
        "server: { auth: { enabled: true, api_keys: [ { key_file: \"" + file.path() + "\" } ] } }",
        "f", {});
    ASSERT_TRUE(result);
    EXPECT_THAT(result.warnings, ElementsAre(HasSubstr("read by other users")));
}

TEST(ApiKeys, OfABackendComeFromTheEnvironment) {
    const std::string yaml = "backends: [ { id: a, endpoint: 'http://h', api_key_env: UP } ]";
    EXPECT_EQ(good(yaml, {{{"UP", "sk-1"}}})->backends.at(0).secret, "sk-1");
    const auto broken = load_text(yaml, "f", {{{"UP", "sk\r\nX-Evil: 1"}}});
    ASSERT_THAT(broken.problems, SizeIs(1));
    EXPECT_EQ(broken.problems[0].text.find("Evil"), std::string::npos) << "a secret was shown";
}

TEST(ApiKeys, OfADisabledBackendMayBeMissing) {
    const auto result = load_text(
        "backends: [ { id: a, enabled: false, endpoint: 'http://h', api_key_env: UP } ]", "f", {});
    EXPECT_TRUE(result);
    EXPECT_THAT(result.warnings, ElementsAre(HasSubstr("UP is not set")));
}

TEST(Overrides, ReplaceWhatTheFileSays) {
    const Environment environment{{{"OLLAMA_PROXY_SERVER_HTTP_PORT", "9000"},
                                   {"OLLAMA_PROXY_SERVER_GRPC_PORT", "null"},
                                   {"OLLAMA_PROXY_SERVER_LIMITS_BODY_BYTES", "77"},
                                   {"OLLAMA_PROXY_SERVER_HOST", "::1"},
                                   {"OLLAMA_PROXY_LOGGING_LEVEL", "error"},
                                   {"OLLAMA_PROXY_ROUTER_AFFINITY", "false"},
                                   {"OLLAMA_PROXY_EFFICIENCY_MODES_QUIET_WEIGHTS_POWER", "4"},
                                   {"OLLAMA_PROXY_STATE_DIR", "/tmp/state"}}};
    const auto config = good(
        "server: { http_port: 8081, limits: { connections: 5 } }\n"
        "routing: { affinity: true }\n",
        environment);
    EXPECT_EQ(config->server.http_port, 9000);
    EXPECT_EQ(config->server.grpc_port, std::nullopt);
    EXPECT_EQ(config->server.limits.body_bytes, 77U);
    EXPECT_EQ(config->server.limits.connections, 5U);
    EXPECT_THAT(config->server.host, ElementsAre("::1"));
    EXPECT_EQ(config->logging.level, LogLevel::error);
    EXPECT_FALSE(config->router.affinity);
    EXPECT_EQ(config->efficiency.modes.at(Mode::quiet).power, 4);
    EXPECT_EQ(config->state_dir, "/tmp/state");
    EXPECT_TRUE(load_default(environment).config->discover_local);
}

TEST(Overrides, ThatAreWrongNameTheVariable) {
    const auto result = load_text(
        "{}", "f.yaml",
        {{{"OLLAMA_PROXY_SERVER_HTTP_PORT", "many"}, {"OLLAMA_PROXY_SERVER_HOST", "0.0.0.0"}}});
    ASSERT_THAT(result.problems, SizeIs(2));
    EXPECT_THAT(result.problems[0].to_string(),
                HasSubstr("OLLAMA_PROXY_SERVER_HTTP_PORT: server.http_port: expected a whole "
                          "number, 0..65535, found \"many\""));
    EXPECT_EQ(result.problems[1].file, "OLLAMA_PROXY_SERVER_HOST");
}

TEST(Overrides, ThatMatchNoKeyWarn) {
    const auto result = load_text(
        "backends: [ { id: a, endpoint: 'http://h', api_key_env: OLLAMA_PROXY_UP } ]", "f",
        {{{"OLLAMA_PROXY_SERVER_HTTP_PROT", "1"},
          {"OLLAMA_PROXY_UP", "x"},
          {"OLLAMA_PROXY_CONFIG", "x"},
          {"OLLAMA_PROXY_API_KEY", "x"},
          {"OLLAMA_PROXY_KEY", "x"},
          {"OLLAMA_HOST", "x"}}});
    ASSERT_TRUE(result);
    EXPECT_THAT(
        result.warnings,
        ElementsAre(HasSubstr("OLLAMA_PROXY_SERVER_HTTP_PROT matches no key; did you mean")));
}

TEST(Overrides, HaveOneNameForEachKey) {
    std::set<std::string> names;
    for (const KeyInfo& info : known_keys()) {
        EXPECT_TRUE(names.insert(variable_name(info.path)).second) << info.path;
    }
}

TEST(Search, PrefersTheVariableThenTheUserThenTheWorkingDirectory) {
    namespace fs = std::filesystem;
    const fs::path root = testing::TempDir() + "config_search_" + std::to_string(::getpid());
    const fs::path user = root / "xdg/ollama-proxy/config.yaml";
    const fs::path home = root / "home/.config/ollama-proxy/config.yaml";
    const fs::path local = root / "cwd/config/config.yaml";
    for (const fs::path& path : {user, home, local}) {
        fs::create_directories(path.parent_path());
        std::ofstream(path) << "{}";
    }
    Environment environment{{{"OLLAMA_PROXY_CONFIG", "/named.yaml"},
                             {"XDG_CONFIG_HOME", (root / "xdg").string()},
                             {"HOME", (root / "home").string()}}};
    EXPECT_EQ(find_config_file(environment, root / "cwd"), "/named.yaml");
    environment.variables["OLLAMA_PROXY_CONFIG"] = "";
    EXPECT_EQ(find_config_file(environment, root / "cwd"), user);
    environment.variables.erase("XDG_CONFIG_HOME");
    EXPECT_EQ(find_config_file(environment, root / "cwd"), home);
    if (!fs::exists("/etc/ollama-proxy/config.yaml")) {
        environment.variables.clear();
        EXPECT_EQ(find_config_file(environment, root / "cwd"), local);
        EXPECT_EQ(find_config_file(environment, root), std::nullopt);
    }
    fs::remove_all(root);
}

TEST(Environment, IsTakenFromTheProcess) {
    ::setenv("OLLAMA_PROXY_TEST_VALUE", "a=b", 1);
    EXPECT_EQ(Environment::from_process().get("OLLAMA_PROXY_TEST_VALUE"), "a=b");
    ::unsetenv("OLLAMA_PROXY_TEST_VALUE");
    EXPECT_EQ(Environment::from_process().get("OLLAMA_PROXY_TEST_VALUE"), std::nullopt);
}

TEST(Host, IsKeptWithoutBracketsAndInLowerCase) {
    const auto read = [](const std::string& host) {
        const auto loaded = load_text("server: {host: [" + host + "]}", "c.yaml", {});
        return loaded ? loaded.config->server.host : std::vector<std::string>{};
    };
    EXPECT_THAT(read("'[::1]', LocalHost, 127.0.0.2"),
                ElementsAre("::1", "localhost", "127.0.0.2"));
    for (const char* none : {"'[]'", "'[::1'", "'::1]'", "'[name]'"}) {
        EXPECT_THAT(read(none), IsEmpty()) << none;
    }
}

}  // namespace
}  // namespace ollama_proxy::config
