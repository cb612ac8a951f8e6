#include "app/commands.hpp"

#include "app/client.hpp"
#include "support/environment.hpp"
#include "support/scripted_backend.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <map>

namespace ollama_proxy::app {
namespace {

using support::Peer;
using support::RecordedRequest;
using support::ScriptedBackend;
using ::testing::HasSubstr;

using Answers = std::map<std::string, std::pair<int, std::string>>;

/// A daemon that answers these paths, and others with 404.
ScriptedBackend::Script daemon_with(Answers answers) {
    return ScriptedBackend::answering([answers](Peer& peer, const RecordedRequest& request) {
        const auto found = answers.find(request.target);
        if (found == answers.end()) {
            peer.reply(404, R"({"error":{"message":"no route","code":"route_not_found"}})");
        } else {
            peer.reply(found->second.first, found->second.second);
        }
    });
}

ScriptedBackend::Options all_paths_scripted() {
    ScriptedBackend::Options options;
    options.answers_probes = false;
    return options;
}

CommandReport ask(const ScriptedBackend& daemon, Command command, Options options = {},
                  const config::Environment& environment = {}) {
    options.command = command;
    options.url = daemon.url();
    return run_command(options, environment, false);
}

TEST(Commands, BackendsAndModelsPrintTables) {
    ScriptedBackend daemon(
        daemon_with({{"/backends", {200, R"({"backends":[{"id":"npu","state":"healthy"}]})"}},
                     {"/v1/models", {200, R"({"data":[{"id":"phi4"}]})"}}}),
        all_paths_scripted());
    const auto backends = ask(daemon, Command::backends);
    EXPECT_EQ(backends.exit_code, 0);
    EXPECT_THAT(backends.out, HasSubstr("npu"));
    EXPECT_THAT(ask(daemon, Command::models).out, HasSubstr("phi4"));
}

TEST(Commands, StatusWorksWithADaemonThatHasNoSensorsAndNoModes) {
    ScriptedBackend daemon(
        daemon_with({{"/health", {200, R"({"status":"healthy","mode":"Balanced"})"}},
                     {"/backends", {200, R"({"backends":[]})"}}}),
        all_paths_scripted());
    const auto text = ask(daemon, Command::status);
    EXPECT_EQ(text.exit_code, 0) << text.error;
    EXPECT_THAT(text.out, HasSubstr("mode      Balanced"));

    Options as_json;
    as_json.json = true;
    const auto report = ask(daemon, Command::status, as_json);
    const auto json = nlohmann::json::parse(report.out);
    EXPECT_EQ(json["health"]["status"], "healthy");
    EXPECT_TRUE(json["efficiency"].is_null());
    EXPECT_TRUE(json["backends"].is_array());
}

TEST(Commands, WhatTheDaemonDoesNotOfferIsSaidPlainly) {
    ScriptedBackend daemon(daemon_with({}), all_paths_scripted());
    for (const Command command : {Command::mode, Command::explain}) {
        const auto report = ask(daemon, command);
        EXPECT_EQ(report.exit_code, 1);
        EXPECT_EQ(report.out, "");
        EXPECT_THAT(report.error, HasSubstr("does not offer this (404)"));
    }
}

TEST(Commands, ModeIsShownAndSet) {
    ScriptedBackend daemon(daemon_with({{"/efficiency", {200, R"({"mode":"Quiet"})"}}}),
                           all_paths_scripted());
    EXPECT_EQ(ask(daemon, Command::mode).out, "Quiet\n");
    Options options;
    options.new_mode = config::Mode::ultra_efficiency;
    EXPECT_EQ(ask(daemon, Command::mode, options).exit_code, 0);
    const auto requests = daemon.requests();
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_EQ(requests[0].method, "GET");
    EXPECT_EQ(requests[1].method, "POST");
    EXPECT_EQ(requests[1].body, R"({"mode":"UltraEfficiency"})");
}

TEST(Commands, ExplainSendsModelHeadersAndKey) {
    ScriptedBackend daemon(daemon_with({{"/explain", {200, R"({"candidates":[]})"}}}),
                           all_paths_scripted());
    Options options;
    options.model = "phi4";
    options.headers = {{"X-Priority", "high"}};
    const auto report =
        ask(daemon, Command::explain, options, {{{"OLLAMA_PROXY_API_KEY", "secret"}}});
    EXPECT_EQ(report.exit_code, 0) << report.error;
    const auto requests = daemon.requests();
    ASSERT_EQ(requests.size(), 1U);
    EXPECT_EQ(requests[0].header("X-Priority"), "high");
    EXPECT_EQ(requests[0].header("Authorization"), "Bearer secret");
    EXPECT_EQ(nlohmann::json::parse(requests[0].body)["model"], "phi4");
}

TEST(Commands, ErrorsOfTheDaemonAreSentences) {
    ScriptedBackend daemon(
        daemon_with({{"/backends", {401, R"({"error":{"message":"no key"}})"}},
                     {"/v1/models", {500, R"({"error":{"message":"it broke"}})"}},
                     {"/efficiency", {403, R"({"error":{"message":"needs admin"}})"}},
                     {"/explain",
                      {404, R"({"error":{"message":"nobody has it","code":"model_not_found"}})"}}}),
        all_paths_scripted());
    EXPECT_THAT(ask(daemon, Command::backends).error, HasSubstr("OLLAMA_PROXY_API_KEY"));
    EXPECT_THAT(ask(daemon, Command::models).error, HasSubstr("500: it broke"));
    EXPECT_THAT(ask(daemon, Command::mode).error, HasSubstr("refuses: needs admin"));
    EXPECT_THAT(ask(daemon, Command::explain).error, HasSubstr("404: nobody has it"));
    EXPECT_EQ(ask(daemon, Command::models).exit_code, 1);
}

TEST(Commands, AServerThatIsNoDaemonIsNamedAsSuch) {
    ScriptedBackend web(daemon_with({{"/backends", {200, "<html>"}}}), all_paths_scripted());
    EXPECT_THAT(ask(web, Command::backends).error, HasSubstr("is no ollama-proxy"));
}

TEST(Commands, NobodyThereIsSaidPlainly) {
    const support::ReservedPort nobody;
    Options options;
    options.command = Command::status;
    options.url = "http://127.0.0.1:" + std::to_string(nobody.number());
    const auto report = run_command(options, {}, false);
    EXPECT_EQ(report.exit_code, 1);
    EXPECT_THAT(report.error, HasSubstr("no ollama-proxy answers at " + *options.url));
    options.url = "http://";
    EXPECT_THAT(run_command(options, {}, false).error, HasSubstr("--url"));
}

TEST(DaemonUrl, ComesFromTheConfiguration) {
    const support::TempDir dir;
    const auto url_for = [&](const std::string& yaml) {
        Options options;
        options.config = dir.write("c.yaml", yaml).string();
        return daemon_url(options, {});
    };
    EXPECT_EQ(*url_for("server: {http_port: 9000}"), "http://127.0.0.1:9000");
    const std::string open = "server: {allow_unauthenticated: true, host: ";
    EXPECT_EQ(*url_for(open + "0.0.0.0}"), "http://127.0.0.1:8080");
    EXPECT_EQ(*url_for(open + "\"::\"}"), "http://[::1]:8080");
    EXPECT_EQ(*url_for("server: {host: \"::1\"}"), "http://[::1]:8080");
    EXPECT_EQ(*url_for("server: {host: \"[::1]\"}"), "http://[::1]:8080");
    EXPECT_EQ(*url_for("server: {host: \"[127.0.0.1]\"}"), "http://127.0.0.1:8080");
    EXPECT_EQ(*url_for(open + "\"[::]\"}"), "http://[::1]:8080");
    EXPECT_THAT(url_for("server: {http_port: 0}").error().message, HasSubstr("--url"));
    EXPECT_THAT(url_for("server: {http_prt: 1}").error().message, HasSubstr("http_prt"));
}

TEST(DaemonUrl, NeedsNoneOfTheKeysThatTheDaemonUses) {
    const support::TempDir dir;
    Options options;
    options.config = dir.write("c.yaml",
                               "server: {http_port: 9000, auth: {enabled: true, api_keys: "
                               "[{key_env: LAPTOP_KEY}, {key_file: /no/such}]}}\n"
                               "backends: [{id: a, endpoint: 'http://h', api_key_env: UP}]\n")
                         .string();
    const auto url = daemon_url(options, {});
    ASSERT_TRUE(url) << url.error().message;
    EXPECT_EQ(*url, "http://127.0.0.1:9000");
}

TEST(WantsColour, OnlyOnATerminalAndUnlessToldOtherwise) {
    const config::Environment terminal{{{"TERM", "xterm"}}};
    EXPECT_TRUE(wants_colour(terminal, true));
    EXPECT_FALSE(wants_colour(terminal, false));
    EXPECT_FALSE(wants_colour({{{"TERM", "dumb"}}}, true));
    EXPECT_FALSE(wants_colour({{{"TERM", "xterm"}, {"NO_COLOR", "1"}}}, true));
    EXPECT_TRUE(wants_colour({{{"TERM", "xterm"}, {"NO_COLOR", ""}}}, true));
}

}  // namespace
}  // namespace ollama_proxy::app
