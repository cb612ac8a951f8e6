#include "app/options.hpp"

#include "app/check_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ollama_proxy::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

using Words = std::vector<std::string>;

Options good(const Words& words) {
    auto parsed = parse_options(words);
    if (const auto* exit = std::get_if<Exit>(&parsed)) {
        ADD_FAILURE() << exit->text;
        return {};
    }
    return std::get<Options>(std::move(parsed));
}

Exit stopped(const Words& words) {
    const auto parsed = parse_options(words);
    if (const auto* exit = std::get_if<Exit>(&parsed)) return *exit;
    ADD_FAILURE() << testing::PrintToString(words) << " was accepted";
    return {-1, "", false};
}

TEST(Options, WithoutArgumentsRunTheDaemon) {
    const Options options = good({});
    EXPECT_EQ(options.command, Command::serve);
    EXPECT_EQ(options.config, std::nullopt);
    EXPECT_EQ(options.http_port, std::nullopt);
    EXPECT_EQ(options.log_level, std::nullopt);
    EXPECT_FALSE(options.demo);
}

TEST(Options, OfServeMayStandWithAndWithoutItsName) {
    const Words flags{"--config", "a.yaml", "--http-port=0",     "--grpc-port", "65535",
                      "--host",   "::1",    "--log-level=DEBUG", "--demo"};
    for (const bool named : {false, true}) {
        Words words = flags;
        if (named) words.insert(words.begin(), "serve");
        const Options options = good(words);
        EXPECT_EQ(options.command, Command::serve);
        EXPECT_EQ(options.config, "a.yaml");
        EXPECT_EQ(options.http_port, 0);
        EXPECT_EQ(options.grpc_port, 65535);
        EXPECT_EQ(options.host, "::1");
        EXPECT_EQ(options.log_level, config::LogLevel::debug);
        EXPECT_TRUE(options.demo);
    }
}

TEST(Options, NameEachCommand) {
    EXPECT_EQ(good({"check-config"}).command, Command::check_config);
    EXPECT_EQ(good({"check-config", "b.yaml"}).config, "b.yaml");
    EXPECT_EQ(good({"status"}).command, Command::status);
    EXPECT_FALSE(good({"status"}).json);
    EXPECT_TRUE(good({"status", "--json"}).json);
    EXPECT_EQ(good({"mode"}).command, Command::mode);
    EXPECT_EQ(good({"mode"}).new_mode, std::nullopt);
    EXPECT_EQ(good({"mode", "ultra-efficiency"}).new_mode, config::Mode::ultra_efficiency);
    EXPECT_EQ(good({"backends"}).command, Command::backends);
    EXPECT_EQ(good({"models", "--url", "http://localhost:9"}).url, "http://localhost:9");
}

TEST(Options, OfExplainTakeHeadersInAnyPlace) {
    for (const Words& words : {Words{"explain", "llama3:8b", "--header", "X-Priority: critical",
                                     "--header", "X-Max-Power-Watts:15"},
                               Words{"explain", "--header", "X-Priority: critical", "--header",
                                     "X-Max-Power-Watts:15", "llama3:8b"}}) {
        const Options options = good(words);
        EXPECT_EQ(options.command, Command::explain);
        EXPECT_EQ(options.model, "llama3:8b");
        EXPECT_THAT(options.headers,
                    ElementsAre(Pair("X-Priority", "critical"), Pair("X-Max-Power-Watts", "15")));
    }
}

TEST(Options, ThatAreWrongExitWithUsageOnStderr) {
    struct Row {
        Words words;
        const char* says;
    };
    for (const Row& row : {
             Row{{"--prot", "1"}, "--prot"},
             Row{{"serve", "--prot"}, "--prot"},
             Row{{"status", "--demo"}, "--demo"},
             Row{{"start"}, "start"},
             Row{{"--http-port", "65536"}, "65535"},
             Row{{"--http-port", "-1"}, "--http-port"},
             Row{{"--http-port", "http"}, "http"},
             Row{{"--http-port"}, "--http-port"},
             Row{{"--log-level", "loud"}, "trace, debug"},
             Row{{"--config", ""}, "--config"},
             Row{{"mode", "turbo"}, "UltraEfficiency"},
             Row{{"mode", "quiet", "auto"}, "auto"},
             Row{{"explain"}, "model"},
             Row{{"explain", "m", "--header", "no colon"}, "Name: value"},
             Row{{"explain", "m", "--header", "a: b\r\nc: d"}, "Name: value"},
             Row{{"models", "--url", "localhost:8080"}, "http://host:port"},
             Row{{"status", "mode"}, "mode"},
         }) {
        const Exit exit = stopped(row.words);
        EXPECT_EQ(exit.code, 2) << testing::PrintToString(row.words);
        EXPECT_TRUE(exit.to_stderr);
        EXPECT_THAT(exit.text, HasSubstr(row.says));
        EXPECT_THAT(exit.text, HasSubstr("usage: ollama-proxy"));
    }
}

TEST(Options, AskForHelpOfEveryCommand) {
    const Exit help = stopped({"--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_FALSE(help.to_stderr);
    for (const char* word : {"serve", "check-config", "status", "mode", "backends", "models",
                             "explain", "--http-port", "--demo", "--json", "--header", "--url"}) {
        EXPECT_THAT(help.text, HasSubstr(word));
    }
    const Exit explain = stopped({"explain", "--help"});
    EXPECT_EQ(explain.code, 0);
    EXPECT_THAT(explain.text, HasSubstr("MODEL"));
    EXPECT_EQ(explain.text.find("--http-port"), std::string::npos);
}

TEST(Options, GoOverTheEnvironmentAndTheFile) {
    config::Environment environment{{{"OLLAMA_PROXY_SERVER_HTTP_PORT", "1"}}};
    apply_flags(
        good({"--http-port", "2", "--grpc-port", "3", "--host", "::1", "--log-level", "warn"}),
        environment);
    const auto loaded =
        config::load_text("server: { http_port: 9, host: 127.0.0.1 }", "f", environment);
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded.config->server.http_port, 2);
    EXPECT_EQ(loaded.config->server.grpc_port, 3);
    EXPECT_THAT(loaded.config->server.host, ElementsAre("::1"));
    EXPECT_EQ(loaded.config->logging.level, config::LogLevel::warn);
    EXPECT_TRUE(loaded.warnings.empty());
}

TEST(Options, CannotOpenTheDaemonToTheNetworkUnnoticed) {
    config::Environment environment;
    apply_flags(good({"--host", "0.0.0.0"}), environment);
    EXPECT_FALSE(config::load_text("", "f", environment));
}

TEST(Options, ThatTheConfigurationRefusesAreNamedAsTheyWereGiven) {
    // The variable is set as well: the flag is what counts, and what is to be changed.
    config::Environment environment{{{"OLLAMA_PROXY_SERVER_HOST", "::1"}}};
    apply_flags(good({"--host", "nope"}), environment);
    const auto loaded = config::load_text("", "f", environment);
    ASSERT_EQ(loaded.problems.size(), 1U);
    EXPECT_THAT(loaded.problems[0].to_string(), StartsWith("--host: server.host: expected an IP"));

    Options all;
    all.http_port = 1;
    all.grpc_port = 2;
    all.log_level = config::LogLevel::warn;
    config::Environment flagged;
    apply_flags(all, flagged);
    EXPECT_THAT(flagged.flags, ElementsAre(Pair("OLLAMA_PROXY_LOGGING_LEVEL", "--log-level"),
                                           Pair("OLLAMA_PROXY_SERVER_GRPC_PORT", "--grpc-port"),
                                           Pair("OLLAMA_PROXY_SERVER_HTTP_PORT", "--http-port")));
}

TEST(Options, AskForTheVersion) {
    const Exit version = stopped({"--version"});
    EXPECT_EQ(version.code, 0);
    EXPECT_FALSE(version.to_stderr);
    EXPECT_THAT(version.text, StartsWith("ollama-proxy "));
    EXPECT_EQ(version.text, version_text() + "\n");
}

TEST(CheckConfig, SummarisesAGoodFile) {
    const auto report = check_config_text(config::load_text(R"(
server: { host: [127.0.0.1, "::1"], grpc_port: null }
efficiency: { default_mode: quiet }
backends:
  - { id: a, endpoint: "http://localhost:1", hardware: npu }
  - { id: b, endpoint: "http://localhost:2", type: openai, enabled: false }
)",
                                                            "good.yaml", {}));
    EXPECT_EQ(report.exit_code, 0);
    EXPECT_EQ(report.out,
              "good.yaml: good\n"
              "HTTP  127.0.0.1:8080, [::1]:8080\n"
              "gRPC  off\n"
              "mode  Quiet\n"
              "keys  not asked for\n"
              "backends: 2\n"
              "  a  http://localhost:1  ollama, npu, 3 W, 800 ms, 1 slot per model\n"
              "  b  http://localhost:2  openai, unknown, 4 slots per model, disabled\n");
}

TEST(CheckConfig, SaysThatLocalServersAreLookedFor) {
    const auto report = check_config_text(config::load_default({}));
    EXPECT_EQ(report.exit_code, 0);
    EXPECT_THAT(report.out, HasSubstr("localhost:11434..11437"));
    // where the daemon listens too: 127.0.0.1 stands for both loopbacks
    EXPECT_THAT(report.out, HasSubstr("HTTP  127.0.0.1:8080, [::1]:8080\n"));
    EXPECT_THAT(report.out, HasSubstr("gRPC  127.0.0.1:50051, [::1]:50051\n"));
}

TEST(CheckConfig, ShowsEveryErrorAndWarning) {
    const auto report =
        check_config_text(config::load_text("sever: {}\nqueue: { aging_ms: 0 }\n", "bad.yaml",
                                            {{{"OLLAMA_PROXY_NOTHING_LIKE_IT_AT_ALL", "1"}}}));
    EXPECT_EQ(report.exit_code, 1);
    EXPECT_EQ(report.out,
              "bad.yaml:1:1: sever: unknown key; did you mean \"server\"?\n"
              "bad.yaml:2:20: queue.aging_ms: 0 is out of range, expected a whole number, "
              "1..86400000\n"
              "2 errors\n"
              "warning: environment variable OLLAMA_PROXY_NOTHING_LIKE_IT_AT_ALL matches no key\n");
}

}  // namespace
}  // namespace ollama_proxy::app
