// /v1/stream/ws: what fails ends one request, in words, and leaves the socket open.

#include "integration/websocket_support.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <utility>
#include <vector>

namespace ollama_proxy {
namespace {

using support::ask;
using support::Chain;
using support::expect_failed;
using support::generate_line;
using support::Json;
using support::kGenerateEnd;
using support::Peer;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::WsClient;

Json with(Json message, const char* key, Json value) {
    message[key] = std::move(value);
    return message;
}

TEST(WebSocketErrors, AMessageThatIsNoJsonObjectLeavesTheSocketOpen) {
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    const std::string deep = "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}";
    for (const std::string& bad : {std::string("hello"), std::string("[]"), std::string("{\"a\":"),
                                   std::string(), std::string("{\"a\":1e999}"), deep}) {
        client.send_text(bad);
        expect_failed(client.read_json(), {}, "invalid_request");
    }
    client.send(ask("good"));
    EXPECT_EQ(client.read_answer("good").back().at("finish_reason"), "stop");
}

TEST(WebSocketErrors, AFieldOfTheWrongKindIsNamed) {
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    const Json good = ask("r");
    const std::vector<std::pair<Json, std::string>> cases{
        {with(good, "model", 5), "model"},
        {with(good, "model", nullptr), "model"},
        {with(good, "model", ""), "model"},
        {with(good, "prompt", Json::array()), "prompt"},
        {with(good, "prompt", ""), "prompt"},
        {with(good, "messages", "hi"), "messages"},
        {with(good, "messages", Json::array({1})), "messages[]"},
        {with(good, "messages", Json::array({{{"content", "x"}}})), "role"},
        {with(good, "messages", Json::array({{{"role", "user"}, {"content", 5}}})), "content"},
        {with(good, "stream", "yes"), "stream"},
        {with(good, "options", 5), "options"},
        {with(good, "options", {{"temperature", "hot"}}), "temperature"},
        {with(good, "options", {{"max_tokens", 1.5}}), "max_tokens"},
        {with(good, "options", {{"stop", Json::array({1})}}), "stop"},
        {with(good, "type", "ping"), "type"},
        {with(good, "priority", "urgent"), "priority"},
        {with(good, "priority", 9), "priority"},
        {with(good, "max_latency_ms", -1), "max_latency_ms"},
        {with(good, "max_power_watts", "much"), "max_power_watts"},
        {with(good, "latency_critical", "perhaps"), "latency_critical"},
        {with(good, "media_type", Json::object()), "media_type"},
        {with(good, "annotations", 1), "annotations"},
        {with(good, "annotations", {{"priority", "urgent"}}), "priority"},
    };
    for (const auto& [message, field] : cases) {
        client.send(message);
        const Json answer = client.read_json();
        expect_failed(answer, "r", "invalid_request");
        EXPECT_NE(answer.at("error").get<std::string>().find(field), std::string::npos) << answer;
    }
    for (const Json& id : {Json(5), Json(std::string(129, 'x')), Json::array()}) {
        client.send(with(good, "request_id", id));
        expect_failed(client.read_json(), {}, "invalid_request");
    }
    client.send(Json{{"type", "cancel"}});
    expect_failed(client.read_json(), {}, "invalid_request");
    EXPECT_EQ(chain[0].request_count(), 0U);
}

TEST(WebSocketErrors, CarryTheCodesOfHttp) {
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    client.send(with(ask("t"), "target_backend", "nobody"));
    expect_failed(client.read_json(), "t", "backend_not_found");
    client.send(with(ask("m"), "model", "no-such-model"));
    expect_failed(client.read_json(), "m", "model_not_found");
    client.send(with(ask("w"), "max_power_watts", 0.001));
    const Json limited = client.read_json();
    expect_failed(limited, "w", "no_available_backends");
    EXPECT_GT(limited.at("retry_after_s"), 0);
}

TEST(WebSocketErrors, AnIdThatIsInUseIsRefusedWithoutEndingItsOwner) {
    std::promise<void> released;
    auto release = released.get_future().share();
    Chain chain({ScriptedBackend::answering([release](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked(support::kNdjson);
        peer.chunk(generate_line("x"));
        release.wait();
        peer.chunk(kGenerateEnd);
        peer.end_chunked();
    })});
    WsClient client(chain.port());
    client.send(ask("same"));
    EXPECT_EQ(client.read_json().at("token"), "x");
    client.send(ask("same"));
    expect_failed(client.read_json(), {}, "invalid_request");
    released.set_value();
    EXPECT_EQ(client.read_answer("same").back().at("finish_reason"), "stop");
}

TEST(WebSocketErrors, ABackendsOwnErrorIsToldInOurForm) {
    const std::vector<std::pair<int, std::string>> cases{{400, "invalid_request"},
                                                         {401, "bad_gateway"},
                                                         {404, "model_not_found"},
                                                         {500, "bad_gateway"}};
    for (const auto& [status, code] : cases) {
        Chain chain({ScriptedBackend::answering_json(R"({"error":"no, thanks"})", status)});
        WsClient client(chain.port());
        client.send(ask("r"));
        const Json answer = client.read_json();
        expect_failed(answer, "r", code);
        EXPECT_NE(answer.at("error").get<std::string>().find("no, thanks"), std::string::npos)
            << answer;
    }
}

TEST(WebSocketErrors, AnErrorInPlaceOfTheFirstTokenFailsOverBeforeTheClientHearsOfIt) {
    Chain chain({support::generating({"{\"error\":\"out of memory\"}\n"}), support::two_tokens()});
    WsClient client(chain.port());
    client.send(ask("r"));
    const auto messages = client.read_answer("r");
    EXPECT_EQ(support::joined_tokens(messages), "Hello");
    EXPECT_EQ(messages.back().at("backend_id"), "b");
}

/// What is broken after the first token, and what the client is told.
void expect_broken(ScriptedBackend::Script script, const std::string& code) {
    Chain chain({std::move(script), support::two_tokens()});
    WsClient client(chain.port());
    client.send(ask("r"));
    const auto messages = client.read_answer("r");
    EXPECT_EQ(support::joined_tokens(messages), "Hel") << "never another model's text";
    expect_failed(messages.back(), "r", code);
    EXPECT_EQ(chain.count("a", "failures"), 1);
    EXPECT_EQ(chain[1].request_count(), 0U);
    client.send(Json{{"request_id", "next"},
                     {"model", "test-model"},
                     {"prompt", "hi"},
                     {"target_backend", "b"}});
    EXPECT_EQ(support::joined_tokens(client.read_answer("next")), "Hello");
}

ScriptedBackend::Script token_and_then(std::function<void(Peer&)> then) {
    return ScriptedBackend::answering([then](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked(support::kNdjson);
        peer.chunk(generate_line("Hel"));
        then(peer);
    });
}

TEST(WebSocketErrors, ABackendThatDiesInTheMiddleEndsThatRequestWithAnError) {
    expect_broken(token_and_then([](Peer& peer) { peer.reset(); }), "bad_gateway");
    expect_broken(token_and_then([](Peer& peer) {
                      peer.chunk("{\"response\":\"half");
                      peer.close();
                  }),
                  "bad_gateway");
    expect_broken(token_and_then([](Peer& peer) { peer.end_chunked(); }), "bad_gateway");
}

TEST(WebSocketErrors, ALineThatIsNoJsonEndsThatRequestWithAnError) {
    expect_broken(token_and_then([](Peer& peer) {
                      peer.chunk("{\"response\":oops}\n" + generate_line("lo") + kGenerateEnd);
                      peer.end_chunked();
                  }),
                  "bad_gateway");
}

TEST(WebSocketErrors, AnErrorObjectInTheMiddleEndsThatRequestWithItsText) {
    expect_broken(token_and_then([](Peer& peer) {
                      peer.chunk("{\"error\":\"cuda gave up\"}\n");
                      peer.end_chunked();
                  }),
                  "bad_gateway");
}

TEST(WebSocketErrors, ABackendThatFallsSilentEndsThatRequestWithUpstreamStalled) {
    Chain::Extra extra;
    extra.per_backend = "max_concurrency: 8\ntimeouts: {stall_ms: 100}";
    Chain chain({token_and_then([](Peer& peer) { peer.wait_closed(); })}, extra);
    WsClient client(chain.port());
    client.send(ask("r"));
    const auto messages = client.read_answer("r");
    expect_failed(messages.back(), "r", "upstream_stalled");
}

TEST(WebSocketErrors, CountRequestsAgainstTheRateOfTheClient) {
    Chain::Extra extra;
    extra.sections += "server: {rate_limit: {enabled: true, rate: 0.01, burst: 2}}\n";
    Chain chain({support::two_tokens()}, extra);
    WsClient client(chain.port());
    client.send(ask("1"));
    EXPECT_EQ(client.read_answer("1").back().at("finish_reason"), "stop");
    client.send(ask("2"));
    const Json refused = client.read_json();
    expect_failed(refused, "2", "rate_limited");
    EXPECT_GT(refused.at("retry_after_s"), 0);
}

}  // namespace
}  // namespace ollama_proxy
