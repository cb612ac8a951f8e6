// A session, and a conversation that goes on, come back to the backend that has them cached.
#include "integration/relay_support.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy {
namespace {

using nlohmann::json;
using support::Headers;
using support::http_post;
using support::ScriptedBackend;
using support::TestDaemon;

const std::string kUser = R"({"role":"user","content":"What is a heap?"})";
const std::string kFollowUp =
    kUser + R"(,{"role":"assistant","content":"A tree."},{"role":"user","content":"And a trie?"})";

std::string body_of(const std::string& messages) {
    return R"({"model":"test-model","messages":[)" + messages + "]}";
}

/// Two backends alike, with the model in memory: unasked, the first one serves.
class Twins {
  public:
    explicit Twins(const std::string& router = "")
        : daemon_(support::config_yaml(
              {support::backend_yaml("a", a_.port()), support::backend_yaml("b", b_.port())},
              support::kQuiet + "router: {auto_optimize: false" + router + "}\n")) {
        for (const char* id : {"a", "b"}) support::wait_until_known(daemon_, id);
    }
    std::string served_by(const std::string& messages, const Headers& headers = {}) {
        const auto reply = http_post(daemon_.port(), support::kChat, body_of(messages), headers);
        EXPECT_EQ(reply.status, 200) << reply.body;
        return reply.header("X-Backend-Used");
    }
    json explain(const std::string& messages, const Headers& headers = {}) {
        const auto reply = http_post(daemon_.port(), "/explain", body_of(messages), headers);
        EXPECT_EQ(reply.status, 200) << reply.body;
        return json::parse(reply.body);
    }

  private:
    static ScriptedBackend::Options loaded() {
        ScriptedBackend::Options options;
        options.loaded_models = {"test-model"};
        return options;
    }
    ScriptedBackend a_{support::good_backend(), loaded()};
    ScriptedBackend b_{support::good_backend(), loaded()};
    TestDaemon daemon_;
};

const Headers kNamesB{{"X-Target-Backend", "b"}};
const Headers kSession{{"X-Session-ID", "s1"}};
const Headers kSessionAtB{{"X-Session-ID", "s1"}, {"X-Target-Backend", "b"}};

TEST(Affinity, ASessionComesBackToItsBackend) {
    Twins twins;
    EXPECT_EQ(twins.served_by(kUser, kSession), "a");
    EXPECT_EQ(twins.served_by(kUser, kSessionAtB), "b");
    EXPECT_EQ(twins.served_by(kUser, kSession), "b");
    EXPECT_EQ(twins.served_by(kUser, {{"X-Session-ID", "s2"}}), "a") << "another session";
    EXPECT_EQ(twins.served_by(kUser), "a") << "no session";
}

TEST(Affinity, AConversationThatGoesOnComesBackWithoutAnyHeader) {
    Twins twins;
    EXPECT_EQ(twins.served_by(kUser, kNamesB), "b");
    EXPECT_EQ(twins.served_by(kUser), "a") << "the same first words are nobody's conversation";
    EXPECT_EQ(twins.served_by(kUser, kNamesB), "b");
    EXPECT_EQ(twins.served_by(kFollowUp), "b");
    const std::string third =
        kFollowUp +
        R"(,{"role":"assistant","content":"A tree too."},{"role":"user","content":"Oh"})";
    EXPECT_EQ(twins.served_by(third), "b");
    EXPECT_EQ(twins.served_by(R"({"role":"user","content":"Else"},)" + third), "a");
}

TEST(Affinity, IsATermOfTheExplanation) {
    Twins twins;
    EXPECT_EQ(twins.served_by(kUser, kSessionAtB), "b");
    const json told = twins.explain(kUser, kSession);
    EXPECT_EQ(told["backend"], "b");
    for (const json& candidate : told["candidates"]) {
        EXPECT_NEAR(candidate["terms"]["affinity"].get<double>(),
                    candidate["backend"] == "b" ? 0.2 : 0.0, 1e-9);
    }
    const json other = twins.explain(kUser);
    EXPECT_EQ(other["backend"], "a");
    for (const json& candidate : other["candidates"]) {
        EXPECT_NEAR(candidate["terms"]["affinity"].get<double>(), 0.2, 1e-9) << "unknown to all";
    }
}

TEST(Affinity, AnExplanationIsNotARequestThatIsRemembered) {
    Twins twins;
    EXPECT_EQ(twins.explain(kUser, kSessionAtB)["backend"], "b");
    EXPECT_EQ(twins.served_by(kUser, kSession), "a");
}

TEST(Affinity, CanBeSwitchedOffAndWeighed) {
    for (const char* router : {", affinity: false", ", weights: {affinity: 0}"}) {
        Twins twins(router);
        EXPECT_EQ(twins.served_by(kUser, kSessionAtB), "b");
        EXPECT_EQ(twins.served_by(kUser, kSession), "a") << router;
    }
}

}  // namespace
}  // namespace ollama_proxy
