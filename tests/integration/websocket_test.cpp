// /v1/stream/ws: what is asked of the backend and what the client gets.

#include "integration/websocket_support.hpp"

#include <gtest/gtest.h>

#include <future>

namespace ollama_proxy {
namespace {

using support::ask;
using support::Chain;
using support::generate_line;
using support::Json;
using support::kGenerateEnd;
using support::Peer;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::WsClient;

Chain::Extra openai_backend() {
    Chain::Extra extra;
    extra.per_backend = "type: openai\nmax_concurrency: 8";
    return extra;
}

TEST(WebSocket, StreamsAPromptTokenByToken) {
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    client.send(Json{{"request_id", "voice-001"},
                     {"model", "test-model"},
                     {"prompt", "Transcribe: Hello world"},
                     {"stream", true},
                     {"priority", "critical"},
                     {"max_latency_ms", 50},
                     {"options", {{"max_tokens", 7}, {"temperature", 0.5}, {"stop", "END"}}}});
    const auto messages = client.read_answer("voice-001");
    ASSERT_EQ(messages.size(), 3U);
    for (const Json& message : messages) EXPECT_EQ(message.at("request_id"), "voice-001");
    EXPECT_EQ(messages[0].at("token"), "Hel");
    EXPECT_EQ(messages[1].at("token"), "lo");
    EXPECT_EQ(messages[0].at("done"), false);
    EXPECT_GT(messages[0].at("ttft_ms"), 0);
    EXPECT_EQ(messages[0].at("ttft_ms"), messages[1].at("ttft_ms"));
    const Json& last = messages[2];
    EXPECT_EQ(last.at("token"), "");
    EXPECT_EQ(last.at("total_tokens"), 2);
    EXPECT_FALSE(last.contains("estimated"));
    EXPECT_EQ(last.at("prompt_tokens"), 5);
    EXPECT_EQ(last.at("ttft_ms"), messages[0].at("ttft_ms"));
    EXPECT_GE(last.at("total_duration_ms"), last.at("ttft_ms"));
    EXPECT_EQ(last.at("backend_id"), "a");
    EXPECT_EQ(last.at("finish_reason"), "stop");
    EXPECT_TRUE(last.contains("energy_j"));

    const RecordedRequest sent = chain[0].requests().at(0);
    EXPECT_EQ(sent.target, "/api/generate");
    EXPECT_EQ(sent.header("Content-Type"), "application/json");
    EXPECT_EQ(sent.header("X-Request-ID"), "voice-001");
    EXPECT_EQ(Json::parse(sent.body),
              Json::parse(R"({"model":"test-model","prompt":"Transcribe: Hello world",
                  "stream":true,
                  "options":{"num_predict":7,"temperature":0.5,"stop":["END"]}})"));
}

TEST(WebSocket, AsksAnOpenAiBackendForAChatWithUsage) {
    const std::string usage =
        R"(data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9}})"
        "\n\n";
    Chain chain(
        {support::streaming("text/event-stream", {support::delta("a") + support::delta("b"),
                                                  support::kFinish, usage, support::kDone})},
        openai_backend());
    WsClient client(chain.port());
    client.send(ask("1"));
    const auto messages = client.read_answer("1");
    ASSERT_EQ(messages.size(), 3U) << "two tokens of one read are two pieces";
    EXPECT_EQ(support::joined_tokens(messages), "ab");
    EXPECT_EQ(messages.back().at("total_tokens"), 9);
    EXPECT_EQ(messages.back().at("prompt_tokens"), 3);
    const RecordedRequest sent = chain[0].requests().at(0);
    EXPECT_EQ(sent.target, "/v1/chat/completions");
    EXPECT_EQ(Json::parse(sent.body), Json::parse(R"({"model":"test-model",
        "messages":[{"role":"user","content":"hi"}],"stream":true,
        "stream_options":{"include_usage":true}})"));
}

TEST(WebSocket, SendsMessagesToTheChatOfOllama) {
    Chain chain({support::streaming(
        std::string(support::kNdjson),
        {"{\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"hm\"},"
         "\"done\":false}\n{\"message\":{\"content\":\"yes\"},\"done\":false}\n",
         "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"length\"}\n"})});
    WsClient client(chain.port());
    client.send(Json::parse(R"({"request_id":"c","model":"test-model","messages":[
        {"role":"user","content":[{"type":"text","text":"what?"},
                                  {"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}]}]})"));
    const auto messages = client.read_answer("c");
    ASSERT_EQ(messages.size(), 3U);
    EXPECT_EQ(messages[0].at("thinking"), "hm");
    EXPECT_FALSE(messages[0].contains("token"));
    EXPECT_EQ(messages[1].at("token"), "yes");
    EXPECT_EQ(messages[2].at("finish_reason"), "length");
    EXPECT_EQ(messages[2].at("total_tokens"), 2) << "counted, because nobody told";
    EXPECT_EQ(messages[2].at("estimated"), true);
    const RecordedRequest sent = chain[0].requests().at(0);
    EXPECT_EQ(sent.target, "/api/chat");
    EXPECT_EQ(Json::parse(sent.body)["messages"],
              Json::parse(R"([{"role":"user","content":"what?","images":["aGk="]}])"));
}

TEST(WebSocket, GivesTheTextInOnePieceToWhoWantsNoStream) {
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    Json request = ask("one");
    request["stream"] = false;
    client.send(request);
    const auto messages = client.read_answer("one");
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0].at("token"), "Hello");
    EXPECT_EQ(messages[1].at("token"), "");
}

TEST(WebSocket, MakesAnIdForARequestThatHasNone) {
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    client.send(Json{{"model", "test-model"}, {"prompt", "hi"}});
    const auto messages = client.read_answer();
    const std::string id = messages.back().at("request_id");
    EXPECT_FALSE(id.empty());
    EXPECT_EQ(chain[0].requests().at(0).header("X-Request-ID"), id);
}

TEST(WebSocket, EchoesAnyIdButSendsOnlyAFitOneOn) {
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    client.send(ask("caf\xc3\xa9 \"1\"\r\nX-Evil: 1"));
    EXPECT_EQ(client.read_answer().back().at("request_id"), "caf\xc3\xa9 \"1\"\r\nX-Evil: 1");
    const RecordedRequest sent = chain[0].requests().at(0);
    EXPECT_FALSE(sent.head.count("X-Evil"));
    EXPECT_TRUE(sent.header("X-Request-ID").starts_with("req-"));
}

TEST(WebSocket, TakesRoutingFieldsFlatOrUnderAnnotations) {
    Chain chain({support::two_tokens(), support::two_tokens()});
    WsClient client(chain.port(), {{"X-Target-Backend", "b"}});
    const auto backend_of = [&](const Json& fields) {
        Json request = ask("r");
        request.update(fields);
        client.send(request);
        return client.read_answer("r").back().at("backend_id").get<std::string>();
    };
    EXPECT_EQ(backend_of(Json::object()), "b") << "the handshake's headers are the defaults";
    EXPECT_EQ(backend_of({{"target_backend", "a"}}), "a");
    EXPECT_EQ(backend_of({{"annotations", {{"target_backend", "a"}}}}), "a");
    EXPECT_EQ(backend_of({{"annotations", {{"target_backend", "b"}}}, {"target_backend", "a"}}),
              "a")
        << "a flat field wins";
    EXPECT_EQ(backend_of({{"priority", 3},
                          {"latency_critical", true},
                          {"power_efficient", false},
                          {"max_latency_ms", 50.0},
                          {"media_type", "realtime"},
                          {"target_backend", "b"}}),
              "b");
}

TEST(WebSocket, AnswersRequestsSideBySide) {
    std::promise<void> released;
    auto release = released.get_future().share();
    Chain chain({ScriptedBackend::answering([release](Peer& peer, const RecordedRequest& request) {
        peer.begin_chunked(support::kNdjson);
        peer.chunk(generate_line("x"));
        if (request.body.find("slow") != std::string::npos) release.wait();
        peer.chunk(kGenerateEnd);
        peer.end_chunked();
    })});
    WsClient client(chain.port());
    client.send(ask("first", "slow"));
    EXPECT_EQ(client.read_json().at("request_id"), "first");
    client.send(ask("second"));
    const auto second = client.read_answer("second");
    EXPECT_EQ(second.size(), 2U);
    released.set_value();
    EXPECT_EQ(client.read_answer("first").back().at("finish_reason"), "stop");
}

TEST(WebSocket, AnswersAtMostSixteenRequestsAtOnce) {
    std::promise<void> released;
    auto release = released.get_future().share();
    Chain::Extra extra;
    extra.per_backend = "max_concurrency: 64";
    Chain chain({ScriptedBackend::answering([release](Peer& peer, const RecordedRequest&) {
                    peer.begin_chunked(support::kNdjson);
                    peer.chunk(generate_line("x"));
                    release.wait();
                    peer.chunk(kGenerateEnd);
                    peer.end_chunked();
                })},
                extra);
    WsClient client(chain.port());
    for (int i = 0; i < 16; ++i) client.send(ask("r" + std::to_string(i)));
    for (int i = 0; i < 16; ++i) EXPECT_EQ(client.read_json().at("token"), "x");
    client.send(ask("too-many"));
    const Json refused = client.read_json();
    support::expect_failed(refused, "too-many", "queue_full");
    EXPECT_GT(refused.at("retry_after_s"), 0);
    released.set_value();
    for (int i = 0; i < 16; ++i) EXPECT_EQ(client.read_json().at("finish_reason"), "stop");
    client.send(ask("again"));
    EXPECT_EQ(client.read_answer("again").back().at("finish_reason"), "stop");
    EXPECT_EQ(chain[0].request_count(), 17U);
}

TEST(WebSocket, TellsItsRequestIdInTheHandshake) {
    Chain chain({support::two_tokens()});
    const WsClient client(chain.port(), {{"X-Request-ID", "hand-1"}});
    EXPECT_NE(client.head().find("X-Request-ID: hand-1\r\n"), std::string::npos);
    EXPECT_EQ(client.head().find("permessage-deflate"), std::string::npos);
}

TEST(WebSocket, ReplacesAnAliasInWhicheverBodyIsSent) {
    for (const char* type : {"ollama", "openai"}) {
        Chain::Extra extra;
        extra.per_backend = std::string("type: ") + type + "\nmax_concurrency: 8";
        extra.sections += "router: {aliases: {fast: test-model}}\n";
        Chain chain({support::two_tokens()}, extra);
        WsClient client(chain.port());
        Json request = ask("r");
        request["model"] = "fast";
        client.send(request);
        client.read_answer("r");
        EXPECT_EQ(Json::parse(chain[0].requests().at(0).body).at("model"), "test-model") << type;
    }
}

}  // namespace
}  // namespace ollama_proxy
