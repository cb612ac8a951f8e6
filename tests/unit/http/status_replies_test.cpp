#include "http/status_replies.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy::http {
namespace {

using nlohmann::json;

router::BackendView backend(const std::string& id, bool healthy) {
    router::BackendView out;
    out.id = id;
    out.healthy = healthy;
    out.state = healthy ? "healthy" : "unhealthy";
    out.reason = healthy ? "" : "connection refused";
    out.circuit = "closed";
    return out;
}

TEST(StatusReplies, BackendsShowEveryFieldOfTheContractAndUnknownAsNull) {
    router::StatusView view;
    view.backends.push_back(backend("a", true));
    view.backends[0].waiting = {1, 2, 3, 4};
    const json body = json::parse(backends_reply(view).body);
    const json& entry = body.at("backends").at(0);
    for (const char* name : {"id",
                             "name",
                             "type",
                             "hardware",
                             "endpoint",
                             "enabled",
                             "state",
                             "healthy",
                             "reason",
                             "circuit",
                             "models",
                             "loaded_models",
                             "queue_depth",
                             "priority_counts",
                             "in_flight",
                             "max_concurrency",
                             "avg_latency_ms",
                             "ttft_ms",
                             "tokens_per_second",
                             "power_watts",
                             "temperature_c",
                             "throttled",
                             "priority",
                             "requests",
                             "failures",
                             "joules_per_token",
                             "energy_source"}) {
        EXPECT_TRUE(entry.contains(name)) << name;
    }
    EXPECT_EQ(entry["priority_counts"],
              (json{{"best_effort", 1}, {"normal", 2}, {"high", 3}, {"critical", 4}}));
    for (const char* name : {"ttft_ms", "power_watts", "temperature_c", "energy_source"}) {
        EXPECT_TRUE(entry[name].is_null()) << name;
    }
    EXPECT_TRUE(entry["models"].is_array());
    EXPECT_EQ(backends_reply({}).body, R"({"backends":[]})");
}

TEST(StatusReplies, HealthTellsTheWorstThatMatters) {
    router::StatusView view;
    const auto status = [&] { return json::parse(health_reply(view).body).at("status"); };
    EXPECT_EQ(status(), "unavailable");
    view.backends = {backend("a", true), backend("b", true)};
    EXPECT_EQ(status(), "healthy");
    view.backends[1] = backend("b", false);
    EXPECT_EQ(status(), "degraded");
    EXPECT_EQ(json::parse(health_reply(view).body).at("backends").at("b").at("reason"),
              "connection refused");
    view.backends[0] = backend("a", false);
    EXPECT_EQ(status(), "unavailable");
    view.accepting = false;
    EXPECT_EQ(status(), "stopping");
    view.accepting = true;
    view.backends = {backend("a", true), backend("b", false)};
    view.backends[1].enabled = false;
    EXPECT_EQ(status(), "healthy") << "a disabled one is not missed";
}

TEST(StatusReplies, ReadyIs503WhenNobodyCanServeAndWhenStopping) {
    router::StatusView view;
    EXPECT_EQ(ready_reply(view).status, 503);
    EXPECT_EQ(ready_reply(view).fields, "Retry-After: 1\r\n");
    view.ready = true;
    EXPECT_EQ(ready_reply(view).status, 200);
    view.ready = false;
    view.accepting = false;
    EXPECT_EQ(ready_reply(view).body, "stopping\n");
}

router::ModelsView models() {
    router::ModelsView view;
    view.models.push_back({"org/m:7b", 5, "", R"({"name":"org/m:7b","size":9})", {"a", "b"}, true});
    view.models.push_back({"gpt:latest", 0, "openai", R"({"id":"gpt"})", {"c"}, false});
    view.loaded.push_back({"org/m:7b", R"({"name":"org/m:7b","size_vram":4})"});
    view.version = "0.9.1";
    return view;
}

TEST(StatusReplies, ModelsAreOpenAIsListWithAdditions) {
    const json body = json::parse(models_reply(models()).body);
    EXPECT_EQ(body["object"], "list");
    EXPECT_EQ(body["data"][0], (json{{"id", "org/m:7b"},
                                     {"object", "model"},
                                     {"created", 5},
                                     {"owned_by", "library"},
                                     {"backends", {"a", "b"}},
                                     {"loaded", true}}));
    EXPECT_EQ(body["data"][1]["owned_by"], "openai");
}

TEST(StatusReplies, AModelIsFoundWithAndWithoutLatest) {
    EXPECT_EQ(json::parse(model_reply(models(), "org/m:7b").body)["id"], "org/m:7b");
    EXPECT_EQ(json::parse(model_reply(models(), "gpt").body)["id"], "gpt:latest");
    for (const char* id : {"org/m", "org", "", "7b", "ORG/M:7B"}) {
        const Reply reply = model_reply(models(), id);
        EXPECT_EQ(reply.status, 404) << id;
        EXPECT_EQ(json::parse(reply.body)["error"]["code"], "model_not_found");
    }
}

TEST(StatusReplies, TagsShowOllamasOwnEntriesAndMakeUpTheOthers) {
    const json body = json::parse(tags_reply(models()).body);
    EXPECT_EQ(body["models"][0], (json{{"name", "org/m:7b"}, {"size", 9}}));
    const json& made = body["models"][1];
    EXPECT_EQ(made["name"], "gpt:latest");
    EXPECT_EQ(made["model"], "gpt:latest");
    for (const char* name : {"modified_at", "size", "digest", "details"}) {
        EXPECT_TRUE(made.contains(name)) << name;
    }
    EXPECT_EQ(json::parse(running_reply(models()).body)["models"][0]["size_vram"], 4);
    EXPECT_EQ(version_reply(models()).body, R"({"version":"0.9.1"})");
}

TEST(StatusReplies, WithoutAnOllamaTheVersionIsOurs) {
    const json body = json::parse(version_reply({}).body);
    EXPECT_FALSE(body["version"].get<std::string>().empty());
}

TEST(StatusReplies, TextThatIsNoUtf8DoesNotBreakAReply) {
    router::StatusView view;
    view.backends.push_back(backend("a", false));
    view.backends[0].reason = "bad \xff\xfe bytes";
    EXPECT_TRUE(json::accept(backends_reply(view).body));
    EXPECT_TRUE(json::accept(health_reply(view).body));
    EXPECT_TRUE(json::accept(model_reply(models(), "\xff").body));
}

TEST(StatusReplies, EscapesOfAPathAreDecoded) {
    EXPECT_EQ(percent_decode("org%2Fm%3a7b"), "org/m:7b");
    EXPECT_EQ(percent_decode("a%"), "a%");
    EXPECT_EQ(percent_decode("a%2"), "a%2");
    EXPECT_EQ(percent_decode("a%zz"), "a%zz");
    EXPECT_EQ(percent_decode("%252f"), "%2f") << "once";
    EXPECT_EQ(percent_decode("a+b"), "a+b");
}

}  // namespace
}  // namespace ollama_proxy::http
