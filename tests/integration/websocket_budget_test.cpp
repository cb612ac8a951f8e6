// Row 34 on a WebSocket: its messages leave the same reserves as the bodies of other requests.

#include "integration/websocket_support.hpp"

#include <future>

namespace ollama_proxy {
namespace {

using support::ask;
using support::Chain;
using support::Json;
using support::kChat;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::WsClient;

/// A budget of 1 MiB of which one request, until it is let go, holds `size` bytes.
class Crowded {
  public:
    explicit Crowded(std::size_t size)
        : chain_({ScriptedBackend::answering([this](Peer& peer, const RecordedRequest& request) {
                     if (request.target != kChat) {
                         peer.begin_chunked(support::kNdjson);
                         peer.chunk(support::generate_line("x") + support::kGenerateEnd);
                         return peer.end_chunked();
                     }
                     released_.wait_for(support::kPatience);
                     peer.reply(200, support::kAnswer);
                 })},
                 small()),
          holder_(chain_.port()) {
        std::string body = support::chat_body();
        body.append(size - body.size(), ' ');
        holder_.send_request("POST", kChat, body);
        (void)chain_[0].wait_for_requests(1);
    }
    [[nodiscard]] std::uint16_t port() const { return chain_.port(); }
    void release() {
        release_.set_value();
        EXPECT_EQ(holder_.read_reply("POST").status, 200);
    }

  private:
    static Chain::Extra small() {
        Chain::Extra extra;
        extra.sections += "server: {limits: {buffered_bytes: 1048576, body_bytes: 1048576}}\n";
        return extra;
    }

    std::promise<void> release_;
    std::shared_future<void> released_ = release_.get_future().share();
    Chain chain_;
    RawClient holder_;
};

Json with_priority(std::string_view id, std::string_view priority) {
    Json message = ask(id);
    message["priority"] = priority;
    return message;
}

TEST(WebSocketBudget, BestEffortIsShedAt85PerCentAndOthersPass) {
    Crowded crowded(900000);  // 86 %
    WsClient client(crowded.port());
    client.send(with_priority("batch", "best-effort"));
    support::expect_failed(client.read_json(), "batch", "overloaded");
    client.send(with_priority("urgent", "high"));
    EXPECT_EQ(support::joined_tokens(client.read_answer("urgent")), "x");
    client.send(ask("usual"));
    EXPECT_EQ(support::joined_tokens(client.read_answer("usual")), "x");
    crowded.release();
    EXPECT_TRUE(support::eventually([&] {
        client.send(with_priority("later", "best-effort"));
        return client.read_answer("later").back().value("code", "") != "overloaded";
    }));
}

TEST(WebSocketBudget, AMessageThatWouldTakeTheLastFivePerCentIsRefused) {
    Crowded crowded(990000);  // 94.4 %
    WsClient small(crowded.port());
    small.send(ask("small"));
    EXPECT_EQ(support::joined_tokens(small.read_answer("small")), "x");
    WsClient large(crowded.port());
    large.send(ask("large", std::string(20000, 'x')));
    EXPECT_EQ(large.read_close(), 1013);
    crowded.release();
}

}  // namespace
}  // namespace ollama_proxy
