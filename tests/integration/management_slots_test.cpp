// Model management takes no slot: neither does it wait for one, nor does anybody wait for it.

#include "integration/relay_support.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy {
namespace {

using support::Chain;
using support::chat_body;
using support::kChat;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;

/// A backend with one slot in all that keeps what comes to one path until the test lets it go.
class OneSlot {
  public:
    explicit OneSlot(std::string kept)
        : kept_(std::move(kept)), chain_({script()}, with_one_slot()) {}
    ~OneSlot() { let_go(); }
    OneSlot(const OneSlot&) = delete;
    OneSlot& operator=(const OneSlot&) = delete;

    [[nodiscard]] Chain& chain() { return chain_; }
    [[nodiscard]] int count(std::string_view key) const { return chain_.count("a", key); }
    void let_go() {
        if (!gone_) gate_.open();
        gone_ = true;
    }

  private:
    static Chain::Extra with_one_slot() {
        Chain::Extra extra;
        extra.per_backend = "max_concurrency: 1\nmax_in_flight: 1";
        return extra;
    }
    ScriptedBackend::Script script() {
        return ScriptedBackend::answering([this](Peer& peer, const RecordedRequest& request) {
            if (request.target == kept_) gate_.wait();
            peer.reply(200, request.target == kChat ? support::kAnswer : R"({"status":"success"})");
        });
    }

    std::string kept_;
    support::Gate gate_;
    bool gone_ = false;
    Chain chain_;
};

TEST(ManagementSlots, ItIsAnsweredWhileTheOnlySlotIsTaken) {
    OneSlot one(std::string{kChat});
    RawClient running(one.chain().port());
    running.send_request("POST", kChat, chat_body());
    (void)one.chain()[0].wait_for_requests(1);
    RawClient waiting(one.chain().port());
    waiting.send_request("POST", kChat, chat_body());
    ASSERT_TRUE(support::eventually([&] { return one.count("queue_depth") == 1; }));

    struct Way {
        const char* method;
        const char* path;
        const char* body;
    };
    for (const Way& way : {Way{"POST", "/api/pull", R"({"model":"x"})"},
                           Way{"POST", "/api/push", R"({"model":"x"})"},
                           Way{"POST", "/api/create", R"({"model":"x","from":"y"})"},
                           Way{"POST", "/api/copy", R"({"source":"x","destination":"y"})"},
                           Way{"DELETE", "/api/delete", R"({"model":"x"})"}}) {
        RawClient client(one.chain().port());
        const auto reply = client.request(way.method, way.path, way.body);
        EXPECT_EQ(reply.status, 200) << way.path;
        EXPECT_EQ(reply.body, R"({"status":"success"})") << way.path;
    }
    EXPECT_EQ(one.count("in_flight"), 1) << "the chat that took the slot";
    EXPECT_EQ(one.count("queue_depth"), 1) << "the chat that waits for it";
    one.let_go();
    EXPECT_EQ(running.read_reply("POST").status, 200);
    EXPECT_EQ(waiting.read_reply("POST").status, 200);
}

TEST(ManagementSlots, AChatIsAnsweredWhileAModelIsPulledOrPushed) {
    for (const char* path : {"/api/pull", "/api/push"}) {
        SCOPED_TRACE(path);
        OneSlot one(path);
        RawClient pulling(one.chain().port());
        pulling.send_request("POST", path, R"({"model":"x"})");
        (void)one.chain()[0].wait_for_requests(1);
        EXPECT_EQ(one.count("in_flight"), 0);
        EXPECT_EQ(one.chain().post(chat_body()).status, 200);
        one.let_go();
        EXPECT_EQ(pulling.read_reply("POST").status, 200);
    }
}

}  // namespace
}  // namespace ollama_proxy
