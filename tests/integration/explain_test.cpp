// POST /explain: the decision and all that led to it, without a byte to any backend.

#include "app/commands.hpp"
#include "integration/relay_support.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy {
namespace {

using nlohmann::json;
using support::Headers;
using support::http_post;
using support::ScriptedBackend;
using support::TestDaemon;
using ::testing::HasSubstr;

/// An integrated and a discrete GPU, both with the model.
class Machine {
  public:
    Machine()
        : igpu_(support::good_backend()),
          nvidia_(support::good_backend()),
          daemon_(support::config_yaml(
              {support::backend_yaml("igpu", igpu_.port(),
                                     "hardware: igpu\ncharacteristics: {power_watts: 12, "
                                     "avg_latency_ms: 400}"),
               support::backend_yaml("nvidia", nvidia_.port(),
                                     "hardware: nvidia\ncharacteristics: {power_watts: 55, "
                                     "avg_latency_ms: 150}")},
              support::kQuiet + "router: {auto_optimize: false, aliases: {gpt: test-model}}\n")) {
        for (const char* id : {"igpu", "nvidia"}) support::wait_until_known(daemon_, id);
    }

    [[nodiscard]] const TestDaemon& daemon() const { return daemon_; }
    [[nodiscard]] std::size_t asked() const {
        return igpu_.request_count() + nvidia_.request_count();
    }
    json explain(const Headers& headers = {}, std::string_view model = "test-model") {
        const auto reply =
            http_post(daemon_.port(), "/explain", support::chat_body(false, model), headers);
        EXPECT_EQ(reply.status, 200) << reply.body;
        return json::parse(reply.body);
    }

  private:
    ScriptedBackend igpu_;
    ScriptedBackend nvidia_;
    TestDaemon daemon_;
};

TEST(Explain, SaysWhatTheSameRequestThenGetsAndSendsNothing) {
    Machine machine;
    for (const Headers& headers :
         {Headers{}, Headers{{"X-Latency-Critical", "true"}}, Headers{{"X-Target-Backend", "igpu"}},
          Headers{{"X-Max-Latency-Ms", "50"}}}) {
        const std::size_t before = machine.asked();
        const json told = machine.explain(headers);
        EXPECT_EQ(machine.asked(), before);
        const auto reply =
            http_post(machine.daemon().port(), support::kChat, support::chat_body(), headers);
        EXPECT_EQ(told["backend"], reply.header("X-Backend-Used"));
        EXPECT_EQ(told["reason"], reply.header("X-Routing-Reason"));
        EXPECT_EQ(told["mode"], reply.header("X-Efficiency-Mode"));
    }
}

TEST(Explain, TellsAllThatSpeaksAgainstABackend) {
    Machine machine;
    const json told = machine.explain({{"X-Max-Power-Watts", "15"}, {"X-Max-Latency-Ms", "100"}});
    ASSERT_EQ(told["candidates"].size(), 2U);
    EXPECT_EQ(told["backend"], "igpu");
    EXPECT_EQ(told["candidates"][0]["refusals"], json::array())
        << "what was relaxed refuses nobody";
    const json& refused = told["candidates"][1];
    EXPECT_EQ(refused["refusal"], "over_watts");
    std::vector<std::string> words;
    for (const json& one : refused["refusals"]) {
        words.push_back(one["refusal"]);
        EXPECT_FALSE(one["text"].get<std::string>().empty());
    }
    EXPECT_EQ(words, (std::vector<std::string>{"over_watts", "over_latency", "mode_budget"}));
    EXPECT_EQ(refused["refusals"][0]["text"], refused["refusal_text"]);
}

TEST(Explain, TheTermsAddUpToTheScoreAndTheBestComesFirst) {
    Machine machine;
    const json told = machine.explain({{"X-Latency-Critical", "true"}});
    ASSERT_EQ(told["candidates"].size(), 2U);
    double last = 1e9;
    for (const json& candidate : told["candidates"]) {
        double sum = 0;
        for (const auto& [name, term] : candidate["terms"].items()) sum += term.get<double>();
        EXPECT_NEAR(candidate["score"].get<double>(), sum, 1e-6) << candidate;
        EXPECT_LE(candidate["score"].get<double>(), last);
        last = candidate["score"];
    }
    EXPECT_EQ(told["candidates"][0]["backend"], "nvidia");
    EXPECT_EQ(told["candidates"][0]["estimated_latency_ms"], 150);
    EXPECT_GT(told["weights"]["latency"].get<double>(), 0);
}

TEST(Explain, EveryRefusalIsThereWithItsReason) {
    Machine machine;
    const json told = machine.explain({{"X-Max-Power-Watts", "15"}});
    EXPECT_EQ(told["backend"], "igpu");
    EXPECT_EQ(told["candidates"][1]["backend"], "nvidia");
    EXPECT_EQ(told["candidates"][1]["refusal"], "over_watts");
    const json nobody = machine.explain({}, "no-such-model");
    EXPECT_TRUE(nobody["backend"].is_null());
    EXPECT_EQ(nobody["error"]["status"], 404);
    for (const json& candidate : nobody["candidates"]) {
        EXPECT_EQ(candidate["refusal"], "model_missing");
    }
}

TEST(Explain, AnAliasIsFollowed) {
    Machine machine;
    EXPECT_EQ(machine.explain({}, "gpt")["model"], "test-model");
}

TEST(Explain, WhatIsWrongWithARequestIsWrongHereToo) {
    Machine machine;
    const auto ask = [&](std::string_view body, const Headers& headers, std::string_view path) {
        return http_post(machine.daemon().port(), path, body, headers).status;
    };
    const std::string good = support::chat_body();
    EXPECT_EQ(ask("{", {}, "/explain"), 400);
    EXPECT_EQ(ask(good, {{"X-Priority", "urgent"}}, "/explain"), 400);
    EXPECT_EQ(ask(good, {{"X-Target-Backend", "nobody"}}, "/explain"), 400);
    EXPECT_EQ(ask(good, {}, "/explain?route=/backends"), 400);
    EXPECT_EQ(ask(good, {}, "/explain?route=/api/chat"), 200);
    EXPECT_EQ(support::http_get(machine.daemon().port(), "/explain").status, 405);
}

TEST(Explain, TheCommandPrintsATable) {
    Machine machine;
    app::Options options;
    options.command = app::Command::explain;
    options.url = machine.daemon().url();
    options.model = "test-model";
    options.headers = {{"X-Max-Power-Watts", "15"}};
    const auto report = app::run_command(options, {}, false);
    EXPECT_EQ(report.exit_code, 0) << report.error;
    EXPECT_THAT(report.out, HasSubstr("test-model: igpu (balanced), mode Balanced\n"));
    EXPECT_THAT(report.out, HasSubstr("55 W against X-Max-Power-Watts 15 W; 55 W is over the "
                                      "mode's budget\n"));
    EXPECT_EQ(machine.asked(), 0U);
}

}  // namespace
}  // namespace ollama_proxy
