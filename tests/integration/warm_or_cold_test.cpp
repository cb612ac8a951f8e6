// A backend that has the model loaded and is full, beside one that is free and has to load it: who
// answers sooner serves.
#include "integration/relay_support.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>

namespace ollama_proxy {
namespace {

using support::chat_body;
using support::Headers;
using support::http_post;
using support::HttpReply;
using support::kOllamaChat;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::TestDaemon;

/// Ollama's stream of an answer for which loading took this long.
std::string answer(std::int64_t load_ns) {
    return R"({"message":{"content":"x"},"done":false})"
           "\n"
           R"({"message":{"content":""},"done":true,"eval_count":2,"load_duration":)" +
           std::to_string(load_ns) + "}\n";
}

/// `warm` has the model in memory and one slot; `cold` would have to load it.
class Pair {
  public:
    Pair(std::int64_t load_ns, const std::string& warm_latency_ms)
        : warm_(script(warm_held_, 0), loaded()),
          cold_(script(never_held_, load_ns)),
          daemon_(support::config_yaml(
              {support::backend_yaml("warm", warm_.port(), with_latency(warm_latency_ms)),
               support::backend_yaml("cold", cold_.port(), with_latency("400"))},
              support::kQuiet)) {
        for (const char* id : {"warm", "cold"}) support::wait_until_known(daemon_, id);
        // what a slot is held for and what loading takes is learned from one request each
        for (const char* id : {"warm", "cold"}) {
            EXPECT_EQ(ask({{"X-Target-Backend", id}}).status, 200);
        }
        warm_held_ = true;
        busy_.emplace(daemon_.port());
        busy_->send_request("POST", kOllamaChat, chat_body(true), {{"X-Target-Backend", "warm"}});
        warm_.wait_for_requests(2);
    }
    HttpReply ask(const Headers& headers = {}) const {
        return http_post(daemon_.port(), kOllamaChat, chat_body(true), headers);
    }
    void let_go() { warm_held_ = false; }
    [[nodiscard]] bool somebody_waits_for_the_warm_one() const {
        return support::eventually(
            [&] { return daemon_.backend("warm")->at("queue_depth").get<int>() == 1; });
    }
    [[nodiscard]] std::uint16_t port() const { return daemon_.port(); }
    [[nodiscard]] std::size_t asked_of_the_cold_one() const { return cold_.request_count(); }

  private:
    static std::string with_latency(const std::string& ms) {
        return "max_concurrency: 1\ncharacteristics: {power_watts: 5, avg_latency_ms: " + ms + "}";
    }
    static ScriptedBackend::Options loaded() {
        ScriptedBackend::Options options;
        options.loaded_models = {"test-model"};
        return options;
    }
    static ScriptedBackend::Script script(const std::atomic<bool>& held, std::int64_t load_ns) {
        return ScriptedBackend::answering([&held, load_ns](Peer& peer, const RecordedRequest&) {
            (void)support::eventually([&] { return !held; });
            peer.begin_chunked("application/x-ndjson");
            peer.chunk(answer(load_ns));
            peer.end_chunked();
        });
    }

    std::atomic<bool> warm_held_{false};
    const std::atomic<bool> never_held_{false};
    ScriptedBackend warm_;
    ScriptedBackend cold_;
    TestDaemon daemon_;
    std::optional<RawClient> busy_;
};

constexpr std::int64_t kMinute = 60'000'000'000;

TEST(WarmOrCold, WaitingForTheWarmOneIsFasterThanLoadingForAMinute) {
    Pair pair(kMinute, "400");
    RawClient client(pair.port());
    client.send_request("POST", kOllamaChat, chat_body(true));
    EXPECT_TRUE(pair.somebody_waits_for_the_warm_one());
    EXPECT_EQ(pair.asked_of_the_cold_one(), 1U);
    pair.let_go();
    EXPECT_EQ(client.read_reply("POST").header("X-Backend-Used"), "warm");
}

TEST(WarmOrCold, AColdOneThatIsFasterServesThoughTheOtherIsWarm) {
    Pair pair(kMinute / 200, "20000");
    EXPECT_EQ(pair.ask().header("X-Backend-Used"), "cold");
    pair.let_go();
}

}  // namespace
}  // namespace ollama_proxy
