// Models: who has which, what is merged, and what a 404 changes.

#include "integration/relay_support.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy {
namespace {

using support::chat_body;
using support::good_backend;
using support::http_get;
using support::http_post;
using support::kChat;
using support::Peer;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::TestDaemon;

ScriptedBackend::Options with_models(std::vector<std::string> models,
                                     std::vector<std::string> loaded = {}) {
    ScriptedBackend::Options options;
    options.models = std::move(models);
    options.loaded_models = std::move(loaded);
    return options;
}

TEST(Catalog, AModelOnSeveralBackendsIsListedOnce) {
    ScriptedBackend one(good_backend(), with_models({"shared:latest", "mine:7b"}, {"mine:7b"}));
    ScriptedBackend two(good_backend(), with_models({"shared:latest", "org/yours"}));
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("one", one.port()),
                              support::backend_yaml("two", two.port(), "type: openai")}));
    support::wait_until_known(daemon, "one");
    support::wait_until_known(daemon, "two");
    const auto models = nlohmann::json::parse(http_get(daemon.port(), "/v1/models").body);
    std::map<std::string, int> seen;
    for (const auto& model : models.at("data")) ++seen[model.at("id")];
    EXPECT_EQ(seen,
              (std::map<std::string, int>{{"shared:latest", 1}, {"mine:7b", 1}, {"org/yours", 1}}));
    EXPECT_EQ(http_get(daemon.port(), "/v1/models/org/yours").status, 200);
    EXPECT_EQ(http_get(daemon.port(), "/v1/models/none").status, 404);
    const auto running = nlohmann::json::parse(http_get(daemon.port(), "/api/ps").body);
    ASSERT_EQ(running.at("models").size(), 1U);
    EXPECT_EQ(running["models"][0]["name"], "mine:7b");
}

TEST(Catalog, ARequestGoesWhereItsModelIs) {
    ScriptedBackend one(good_backend(), with_models({"small:1b"}));
    ScriptedBackend two(good_backend(), with_models({"large:latest"}));
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("one", one.port()), support::backend_yaml("two", two.port())}));
    support::wait_until_known(daemon, "one");
    support::wait_until_known(daemon, "two");
    const auto used = [&](std::string_view model) {
        return http_post(daemon.port(), kChat, chat_body(false, model)).header("X-Backend-Used");
    };
    EXPECT_EQ(used("small:1b"), "one");
    EXPECT_EQ(used("Large"), "two");
    EXPECT_EQ(used("large:latest"), "two");
    const auto none = http_post(daemon.port(), kChat, chat_body(false, "unheard-of"));
    EXPECT_EQ(none.status, 404);
    const auto json = nlohmann::json::parse(none.body);
    EXPECT_EQ(json["error"]["code"], "model_not_found");
    EXPECT_EQ(json["error"]["param"], "model");
    EXPECT_NE(none.body.find("one: does not have the model"), std::string::npos) << none.body;
    EXPECT_NE(none.body.find("two: does not have the model"), std::string::npos) << none.body;
}

TEST(Catalog, AModelOfABackendThatIsDownIsUnavailableNotUnknown) {
    auto one = std::make_unique<ScriptedBackend>(good_backend(), with_models({"mine"}));
    ScriptedBackend two(good_backend(), with_models({"yours"}));
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("one", one->port()), support::backend_yaml("two", two.port())},
        "health: {unhealthy_threshold: 1}"));
    support::wait_until_known(daemon, "one");
    support::wait_until_known(daemon, "two");
    one.reset();
    daemon.wait_until_unhealthy("one");
    EXPECT_EQ(http_post(daemon.port(), kChat, chat_body(false, "mine")).status, 503);
}

TEST(Catalog, A404ForAModelIsRememberedUntilTheNextCatalog) {
    ScriptedBackend lacking(ScriptedBackend::answering_json(R"({"error":"gone"})", 404));
    ScriptedBackend having(good_backend());
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("a", lacking.port()), support::backend_yaml("b", having.port())},
        support::kQuiet));
    support::wait_until_known(daemon, "a");
    support::wait_until_known(daemon, "b");
    const std::size_t before = lacking.probe_count();
    lacking.set_models({"another"});  // what the fetch after the 404 finds
    EXPECT_EQ(http_post(daemon.port(), kChat, chat_body()).header("X-Backend-Used"), "b");
    EXPECT_TRUE(support::eventually([&] { return lacking.probe_count() > before; }))
        << "the catalog is fetched at once";
    EXPECT_TRUE(support::eventually([&] {
        const auto models = daemon.backend("a")->at("models");
        return models.size() == 1 && models[0] == "another";
    }));
    EXPECT_EQ(http_post(daemon.port(), kChat, chat_body()).header("X-Backend-Used"), "b");
    EXPECT_EQ(lacking.request_count(), 1U);
    EXPECT_EQ(daemon.backend("a")->at("failures"), 0) << "a missing model is no failure";
}

TEST(Catalog, UnloadingReachesEveryBackendThatHasTheModelLoaded) {
    const std::string done = R"({"model":"m","done":true,"done_reason":"unload"})";
    ScriptedBackend one(ScriptedBackend::answering_json(done), with_models({"m"}, {"m:latest"}));
    ScriptedBackend two(ScriptedBackend::answering_json(done), with_models({"m"}));
    ScriptedBackend three(ScriptedBackend::answering_json(done), with_models({"m"}, {"m:latest"}));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("one", one.port()),
                                                  support::backend_yaml("two", two.port()),
                                                  support::backend_yaml("three", three.port())}));
    for (const char* id : {"one", "two", "three"}) {
        support::wait_until_known(daemon, id);
        const std::size_t loaded = std::string_view(id) == "two" ? 0 : 1;
        EXPECT_TRUE(support::eventually([&] {
            const auto entry = daemon.backend(id).value();
            return entry["models"].size() == 1 && entry["loaded_models"].size() == loaded;
        }));
    }
    const std::string body = R"({"model":"m","keep_alive":0})";
    const auto reply = http_post(daemon.port(), "/api/generate", body);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, done);
    EXPECT_EQ(one.request_count(), 1U);
    EXPECT_EQ(two.request_count(), 0U);
    EXPECT_EQ(three.request_count(), 1U);
    EXPECT_EQ(three.requests()[0].body, body);
}

TEST(Catalog, UnloadingAsksFirstWhatIsLoadedNow) {
    const std::string done = R"({"model":"m","done":true,"done_reason":"unload"})";
    ScriptedBackend one(ScriptedBackend::answering_json(done), with_models({"m"}));
    ScriptedBackend two(ScriptedBackend::answering_json(done), with_models({"m"}));
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("one", one.port()), support::backend_yaml("two", two.port())},
        support::kQuiet));
    for (const char* id : {"one", "two"}) support::wait_until_known(daemon, id);
    two.set_loaded_models({"m:latest"});  // by another way, and nothing probes
    const std::string body = R"({"model":"m","keep_alive":0})";
    const auto reply = http_post(daemon.port(), "/api/generate", body);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("X-Backend-Used"), "two");
    EXPECT_EQ(reply.header("X-Routing-Reason"), "unload");
    EXPECT_EQ(one.request_count(), 0U);
    EXPECT_EQ(two.request_count(), 1U);
}

TEST(Catalog, UnloadingAsksNobodyWhoIsDownAndWaitsForNobodyWhoHangs) {
    const std::string done = R"({"model":"m","done":true,"done_reason":"unload"})";
    support::Gate gate;
    ScriptedBackend hanging(
        ScriptedBackend::answering([&](Peer&, const RecordedRequest&) { gate.wait(); }),
        with_models({"m"}, {"m:latest"}));
    ScriptedBackend down(ScriptedBackend::answering_json(done), with_models({"m"}, {"m:latest"}));
    ScriptedBackend good(ScriptedBackend::answering_json(done), with_models({"m"}, {"m:latest"}));
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("hanging", hanging.port()),
         support::backend_yaml("good", good.port()), support::backend_yaml("down", down.port())},
        "health: {unhealthy_threshold: 1}"));
    for (const char* id : {"hanging", "good", "down"}) support::wait_until_known(daemon, id);
    down.set_healthy(false);
    daemon.wait_until_unhealthy("down");
    const auto reply = http_post(daemon.port(), "/api/generate", R"({"model":"m","keep_alive":0})");
    EXPECT_EQ(reply.status, 200) << reply.raw;
    EXPECT_EQ(reply.header("X-Backend-Used"), "good");
    EXPECT_EQ(hanging.request_count(), 1U);
    EXPECT_EQ(down.request_count(), 0U);
    gate.open();
}

}  // namespace
}  // namespace ollama_proxy
