// Listings over several backends, as Ollama's and OpenAI's clients read them, and unloading.

#include "front_end.hpp"

#include <algorithm>
#include <vector>

namespace ollama_proxy::front_end {
namespace {

using nlohmann::json;
using Options = ScriptedBackend::Options;

const std::string kSlowProbes =
    "health: { interval_ms: 60000, idle_interval_ms: 60000, unhealthy_threshold: 1 }\n";

Options with(std::vector<std::string> models, std::vector<std::string> loaded = {}) {
    Options options;
    options.models = std::move(models);
    options.loaded_models = std::move(loaded);
    return options;
}

json get_json(const TestDaemon& daemon, std::string_view path) {
    const auto reply = support::http_get(daemon.port(), path);
    EXPECT_EQ(reply.status, 200) << path << reply.raw;
    return json::parse(reply.body, nullptr, false);
}

std::vector<std::string> names(const json& list, const char* key) {
    std::vector<std::string> out;
    for (const auto& entry : list) out.push_back(entry.at(key));
    std::ranges::sort(out);
    return out;
}
using Names = std::vector<std::string>;

class Listings : public testing::Test {
  protected:
    void SetUp() override {
        wait_until_known(daemon_, "a", 2, 1);
        wait_until_known(daemon_, "b", 2, 2);
        wait_until_known(daemon_, "c", 2);
    }
    ScriptedBackend a_{ScriptedBackend::answering_json("{}"),
                       with({"both:1b", "only-a:latest"}, {"both:1b"})};
    ScriptedBackend b_{ScriptedBackend::answering_json("{}"),
                       with({"both:1b", "hf.co/org/m:Q4"}, {"both:1b", "hf.co/org/m:Q4"})};
    ScriptedBackend c_{ScriptedBackend::answering_json("{}"), with({"cloud/gpt", "both:1b"})};
    TestDaemon daemon_{support::config_yaml(
        {support::backend_yaml("a", a_.port()), support::backend_yaml("b", b_.port()),
         support::backend_yaml("c", c_.port(), "type: openai")},
        kSlowProbes)};
};

TEST_F(Listings, ModelsAreTheUnionAndEachIsListedOnce) {
    const json list = get_json(daemon_, "/v1/models");
    EXPECT_EQ(list.at("object"), "list");
    EXPECT_EQ(names(list.at("data"), "id"),
              (Names{"both:1b", "cloud/gpt", "hf.co/org/m:Q4", "only-a:latest"}));
    for (const auto& model : list.at("data")) {
        EXPECT_EQ(model.at("object"), "model");
        EXPECT_TRUE(model.at("created").is_number_integer());
        EXPECT_TRUE(model.at("owned_by").is_string());
        if (model.at("id") == "both:1b") {
            EXPECT_EQ(model.at("backends"), (json{"a", "b", "c"}));
            EXPECT_EQ(model.at("loaded"), true);
        }
        if (model.at("id") == "cloud/gpt") {
            EXPECT_EQ(model.at("owned_by"), "test");
            EXPECT_EQ(model.at("created"), 1735689600);
        }
    }
}

TEST_F(Listings, OneModelIsFoundByAnIdWithSlashAndColon) {
    for (const char* path : {"/v1/models/hf.co/org/m:Q4", "/v1/models/hf.co%2Forg%2Fm%3AQ4"}) {
        EXPECT_EQ(get_json(daemon_, path).at("id"), "hf.co/org/m:Q4");
    }
    EXPECT_EQ(get_json(daemon_, "/v1/models/only-a").at("id"), "only-a:latest");
    const auto none = support::http_get(daemon_.port(), "/v1/models/hf.co/org");
    expect_error(none, Shape::openai, 404, "model_not_found", "model");
}

TEST_F(Listings, TagsAndPsAreMergedInOllamasForm) {
    const json tags = get_json(daemon_, "/api/tags");
    EXPECT_EQ(names(tags.at("models"), "name"),
              (Names{"both:1b", "cloud/gpt", "hf.co/org/m:Q4", "only-a:latest"}));
    for (const auto& model : tags.at("models")) {
        for (const char* field : {"model", "modified_at", "size", "digest", "details"}) {
            EXPECT_TRUE(model.contains(field)) << field << model;
        }
    }
    const json ps = get_json(daemon_, "/api/ps");
    EXPECT_EQ(names(ps.at("models"), "name"), (Names{"both:1b", "hf.co/org/m:Q4"}));
    EXPECT_TRUE(ps.at("models").at(0).contains("expires_at"));
    EXPECT_EQ(get_json(daemon_, "/api/version").at("version"), "0.11.4");
}

TEST_F(Listings, AreAtMostASecondOld) {
    (void)get_json(daemon_, "/api/tags");
    b_.set_models({"both:1b", "new:1b"});
    EXPECT_TRUE(support::eventually(
        [&] {
            const auto all = names(get_json(daemon_, "/api/tags").at("models"), "name");
            return std::ranges::count(all, "new:1b") == 1 &&
                   std::ranges::count(all, "hf.co/org/m:Q4") == 0;
        },
        support::Milliseconds(3000)));
    // and a crowd of clients does not become a crowd of probes
    const std::size_t before = b_.probe_count();
    for (int i = 0; i < 30; ++i) (void)get_json(daemon_, "/api/tags");
    EXPECT_LE(b_.probe_count(), before + 6);
}

TEST_F(Listings, BackendsShowWhatTheContractNames) {
    const json list = get_json(daemon_, "/backends").at("backends");
    ASSERT_EQ(list.size(), 3U);
    for (const auto& entry : list) {
        for (const char* field : {"id",
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
            EXPECT_TRUE(entry.contains(field)) << field;
        }
        EXPECT_EQ(entry.at("state"), "healthy");
        EXPECT_EQ(entry.at("circuit"), "closed");
    }
    EXPECT_EQ(list[0].at("loaded_models"), (json{"both:1b"}));
    EXPECT_EQ(list[2].at("type"), "openai");
    EXPECT_EQ(support::http_post(daemon_.port(), "/v1/chat/completions",
                                 R"({"model":"only-a","messages":["hi"]})")
                  .status,
              200);
    EXPECT_EQ(daemon_.backend("a")->at("requests"), 1);
}

TEST_F(Listings, HealthAndReadinessFollowTheBackends) {
    EXPECT_EQ(get_json(daemon_, "/health").at("status"), "healthy");
    EXPECT_EQ(support::http_get(daemon_.port(), "/readyz").status, 200);
    const auto root = support::http_get(daemon_.port(), "/");
    EXPECT_EQ(root.body, "Ollama is running");
    EXPECT_TRUE(root.header("Content-Type").starts_with("text/plain"));
}

TEST(Readiness, Is503UntilABackendCanServe) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    backend.set_healthy(false);
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())},
                                                 "health: { unhealthy_threshold: 1 }"));
    ASSERT_TRUE(
        support::eventually([&] { return daemon.backend("a")->at("state") == "unhealthy"; }));
    const auto reply = support::http_get(daemon.port(), "/readyz");
    EXPECT_EQ(reply.status, 503);
    EXPECT_TRUE(is_positive_integer(reply.header("Retry-After")));
    EXPECT_EQ(support::http_get(daemon.port(), "/healthz").status, 200);
    const json health = get_json(daemon, "/health");
    EXPECT_EQ(health.at("status"), "unavailable");
    EXPECT_EQ(health.at("backends").at("a").at("healthy"), false);
    EXPECT_FALSE(health.at("backends").at("a").at("reason").get<std::string>().empty());
    backend.set_healthy(true);
    EXPECT_TRUE(support::eventually(
        [&] { return support::http_get(daemon.port(), "/readyz").status == 200; }));
}

TEST_F(Listings, UnloadingGoesToEveryBackendThatHasTheModelLoaded) {
    const std::string body = R"({"model":"both:1b","keep_alive":0})";
    const auto reply = support::http_post(daemon_.port(), "/api/generate", body);
    EXPECT_EQ(reply.status, 200);
    for (const ScriptedBackend* backend : {&a_, &b_}) {
        const auto requests = backend->requests();
        ASSERT_EQ(requests.size(), 1U);
        EXPECT_EQ(requests[0].target, "/api/generate");
        EXPECT_EQ(requests[0].body, body);
    }
    EXPECT_EQ(c_.request_count(), 0U);
    (void)support::http_post(daemon_.port(), "/api/generate",
                             R"({"model":"hf.co/org/m:Q4","keep_alive":"0s"})");
    EXPECT_EQ(a_.request_count(), 1U);
    EXPECT_EQ(b_.request_count(), 2U);
}

TEST_F(Listings, LoadingGoesToOneBackend) {
    EXPECT_EQ(support::http_post(daemon_.port(), "/api/generate", R"({"model":"both:1b"})").status,
              200);
    EXPECT_EQ(a_.request_count() + b_.request_count(), 1U);
    EXPECT_EQ(support::http_post(daemon_.port(), "/api/generate",
                                 R"({"model":"both:1b","prompt":"x","keep_alive":0})")
                  .status,
              200);
    EXPECT_EQ(a_.request_count() + b_.request_count(), 2U) << "a prompt is no unloading";
}

TEST(Version, TheLowestVersionIsTold) {
    Options no_probes;
    no_probes.answers_probes = false;
    const auto answering_version = [](const char* version) {
        return ScriptedBackend::answering([version](Peer& peer, const RecordedRequest& request) {
            peer.reply(200, request.target == "/api/version"
                                ? R"({"version":")" + std::string(version) + "\"}"
                                : R"({"models":[]})");
        });
    };
    ScriptedBackend newer(answering_version("0.12.3"), no_probes);
    ScriptedBackend older(answering_version("0.9.10"), no_probes);
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("newer", newer.port()),
                                                  support::backend_yaml("older", older.port())}));
    daemon.wait_until_healthy("newer");
    daemon.wait_until_healthy("older");
    EXPECT_EQ(get_json(daemon, "/api/version").at("version"), "0.9.10") << "numbers, not text";
}

}  // namespace
}  // namespace ollama_proxy::front_end
