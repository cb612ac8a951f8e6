// Rows 1 to 23 of the failures contract: who is asked next, how often, and what the client sees.

#include "integration/relay_support.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <future>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace ollama_proxy {
namespace {

using support::Chain;
using support::chat_body;
using support::good_backend;
using support::kAnswer;
using support::kQuiet;
using support::Peer;
using support::RecordedRequest;
using support::ScriptedBackend;

using Responder = ScriptedBackend::Responder;

std::string code_of(const support::HttpReply& reply) {
    const auto json = nlohmann::json::parse(reply.body, nullptr, false);
    if (!json.is_object() || !json.contains("error")) return reply.body;
    return json["error"].value("code", "none");
}

struct Fault {
    std::string name;
    Responder responder;
    int status_alone;        ///< what the client gets when there is nobody else
    std::string code_alone;  ///< empty: the backend's own body
    bool stream = false;
};

/// Sends bytes and hangs up.
Responder sends(std::string bytes) {
    return [bytes = std::move(bytes)](Peer& peer, const RecordedRequest&) {
        peer.send(bytes);
        peer.close();
    };
}

/// A whole answer of this status.
Responder answers(int status, std::string more = {}) {
    return [status, more](Peer& peer, const RecordedRequest&) {
        peer.reply(status, "{\"own\": \"" + std::to_string(status) + "\"}", "application/json",
                   more);
    };
}

std::vector<Fault> faults_before_the_commit() {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    const std::string stream =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    std::string hints;
    for (int i = 0; i < 9; ++i) hints += "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    std::string fields;
    for (int i = 0; i < 300; ++i) fields += "X-Field: 1\r\n";
    const std::string whole = "Content-Length: 2\r\n\r\n{}";
    return {
        {"EOF before a byte", [](Peer& peer, const RecordedRequest&) { peer.close(); }, 502,
         "bad_gateway"},
        {"RST before a byte", [](Peer& peer, const RecordedRequest&) { peer.reset(); }, 502,
         "bad_gateway"},
        {"EOF inside the head", sends("HTTP/1.1 200 OK\r\nContent-Ty"), 502, "bad_gateway"},
        {"RST inside the head",
         [](Peer& peer, const RecordedRequest&) {
             peer.send("HTTP/1.1 200 OK\r\n");
             peer.reset();
         },
         502, "bad_gateway"},
        {"no HTTP", sends("SSH-2.0-OpenSSH_9.2\r\n\r\n"), 502, "bad_gateway"},
        {"a head of 70 kB", sends("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n"),
         502, "bad_gateway"},
        {"300 fields", sends("HTTP/1.1 200 OK\r\n" + fields + whole), 502, "bad_gateway"},
        {"nine interim answers", sends(hints + head + whole), 502, "bad_gateway"},
        {"101 unasked", sends("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), 502,
         "bad_gateway"},
        {"length and chunked", sends(head + "Transfer-Encoding: chunked\r\n" + whole), 502,
         "bad_gateway"},
        {"two lengths", sends(head + "Content-Length: 3\r\n" + whole), 502, "bad_gateway"},
        {"death after the head", sends(head + "Content-Length: 9\r\n\r\n"), 502, "bad_gateway"},
        {"short length", sends(head + "Content-Length: 9\r\n\r\n{\"a\":"), 502, "bad_gateway"},
        {"truncated chunks", sends(head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), 502,
         "bad_gateway"},
        {"bad chunks", sends(head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), 502,
         "bad_gateway"},
        {"close-delimited and cut", sends(head + "\r\n{\"choices\":[{"), 502, "bad_gateway"},
        {"500", answers(500), 500, ""},
        {"502", answers(502), 503, ""},
        {"503", answers(503), 503, ""},
        {"504", answers(504), 503, ""},
        {"408", answers(408), 408, ""},
        {"429", answers(429), 429, ""},
        {"404 for the model", answers(404), 404, ""},
        {"a stream that dies before its first event", sends(stream + "20\r\ndata: {\"choi"), 502,
         "bad_gateway", true},
        {"a stream that ends before its first event", sends(stream + "0\r\n\r\n"), 502,
         "bad_gateway", true},
        {"a stream of half an event", sends(stream + "9\r\ndata: {\"a\r\n0\r\n\r\n"), 502,
         "bad_gateway", true},
    };
}

TEST(Failover, AFaultBeforeTheCommitGoesToTheNextBackendOnceAndAloneToTheClient) {
    for (const Fault& fault : faults_before_the_commit()) {
        SCOPED_TRACE(fault.name);
        Chain two({ScriptedBackend::answering(fault.responder), good_backend()});
        const auto saved = two.post(chat_body(fault.stream));
        EXPECT_EQ(saved.status, 200) << saved.raw;
        EXPECT_EQ(saved.body, kAnswer);
        EXPECT_EQ(saved.header("X-Backend-Used"), "b");
        EXPECT_EQ(two[0].request_count(), 1U);
        EXPECT_EQ(two[1].request_count(), 1U);
        EXPECT_EQ(two[1].requests().at(0).body, chat_body(fault.stream));

        Chain alone({ScriptedBackend::answering(fault.responder)});
        const auto reply = alone.post(chat_body(fault.stream));
        EXPECT_EQ(reply.status, fault.status_alone) << reply.raw;
        EXPECT_TRUE(reply.clean_end);
        EXPECT_EQ(alone[0].request_count(), 1U) << "asked again";
        EXPECT_EQ(reply.header("X-Backend-Used"), "a");
        if (fault.code_alone.empty()) {
            EXPECT_EQ(reply.body.find("{\"own\": \""), 0U) << reply.body;
        } else {
            EXPECT_EQ(code_of(reply), fault.code_alone);
        }
        if (reply.status == 503 || reply.status == 429) {
            EXPECT_EQ(reply.header("Retry-After"), "1");
        }
        EXPECT_EQ(alone.count("a", "in_flight"), 0);
    }
}

TEST(Failover, WhatIsTheClientsFaultIsPassedOnUnchanged) {
    for (const int status : {400, 401, 403, 405, 409, 413, 415, 422}) {
        SCOPED_TRACE(status);
        Chain chain(
            {ScriptedBackend::answering(answers(status, "X-Why: because\r\n")), good_backend()});
        const auto reply = chain.post(chat_body());
        EXPECT_EQ(reply.status, status);
        EXPECT_EQ(reply.body, "{\"own\": \"" + std::to_string(status) + "\"}");
        EXPECT_EQ(reply.header("X-Why"), "because");
        EXPECT_EQ(chain[1].request_count(), 0U);
        EXPECT_EQ(chain.count("a", "failures"), 0);
    }
}

TEST(Failover, ARefusedConnectionCostsNothing) {
    Chain::Extra extra;
    const support::ReservedPort dead[2];
    extra.dead_ports = {dead[0].number(), dead[1].number()};
    Chain chain({ScriptedBackend::answering([](Peer& p, const RecordedRequest&) { p.close(); }),
                 ScriptedBackend::answering(answers(503)), good_backend()},
                extra);
    const auto reply = chain.post(chat_body());
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.header("X-Backend-Used"), "e");
    EXPECT_EQ(chain[0].request_count(), 1U);
    EXPECT_EQ(chain[1].request_count(), 1U);
    EXPECT_EQ(chain[2].request_count(), 1U);
}

TEST(Failover, AllRefusedIsServiceUnavailableWithEveryReason) {
    Chain::Extra extra;
    const support::ReservedPort dead[2];
    extra.dead_ports = {dead[0].number(), dead[1].number()};
    Chain chain({}, extra);
    const auto reply = chain.post(chat_body());
    EXPECT_EQ(reply.status, 503);
    EXPECT_EQ(code_of(reply), "no_available_backends");
    EXPECT_GE(std::stoi(reply.header("Retry-After")), 1);
    EXPECT_NE(reply.body.find("a: "), std::string::npos) << reply.body;
    EXPECT_NE(reply.body.find("b: "), std::string::npos) << reply.body;
}

TEST(Failover, AConnectionThatHangsIsLeftAfterItsTimeout) {
    ScriptedBackend::Options full;
    full.accepts = false;
    ScriptedBackend hangs(good_backend(), full);
    Chain::Extra extra;
    extra.dead_ports = {hangs.port()};
    extra.per_backend = "timeouts: {connect_ms: 150}";
    Chain two({good_backend()}, extra);
    const auto reply = two.post(chat_body());
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("X-Backend-Used"), "b");

    Chain alone({}, extra);
    const auto late = alone.post(chat_body());
    EXPECT_TRUE(late.status == 504 || late.status == 503) << late.raw;
}

TEST(Failover, AtMostMaxAttemptsBackendsAnswer) {
    for (const unsigned attempts : {1U, 2U, 3U}) {
        SCOPED_TRACE(attempts);
        Chain::Extra extra;
        extra.sections =
            kQuiet + "router: {retry: {max_attempts: " + std::to_string(attempts) + "}}";
        Chain chain(
            {ScriptedBackend::answering(answers(503, "Retry-After: 7\r\n")),
             ScriptedBackend::answering(answers(503, "Retry-After: 9\r\n")),
             ScriptedBackend::answering(answers(503, "Retry-After: 3\r\n")), good_backend()},
            extra);
        const auto reply = chain.post(chat_body());
        EXPECT_EQ(reply.status, 503);
        EXPECT_EQ(reply.body, "{\"own\": \"503\"}");
        EXPECT_EQ(reply.header("Retry-After"), attempts == 1 ? "7" : "9");
        EXPECT_EQ(reply.head.count("Retry-After"), 1U);
        for (unsigned i = 0; i < 4; ++i) {
            EXPECT_EQ(chain[i].request_count(), i < attempts ? 1U : 0U) << i;
        }
    }
}

TEST(Failover, WithoutABudgetTheFirstErrorIsTheAnswer) {
    Chain::Extra extra;
    extra.sections = kQuiet + "router: {retry: {budget_percent: 0, budget_min: 0}}";
    Chain chain({ScriptedBackend::answering(answers(500)), good_backend()}, extra);
    const auto reply = chain.post(chat_body());
    EXPECT_EQ(reply.status, 500);
    EXPECT_EQ(reply.body, "{\"own\": \"500\"}");
    EXPECT_EQ(chain[1].request_count(), 0U);
}

TEST(Failover, ASecond500PassesTheFirstOnesBodyOn) {
    Chain chain({ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
                     peer.reply(500, "{\"from\":\"a\"}");
                 }),
                 ScriptedBackend::answering(answers(500)), good_backend()});
    const auto reply = chain.post(chat_body());
    EXPECT_EQ(reply.status, 500);
    EXPECT_EQ(reply.body, "{\"from\":\"a\"}");
    EXPECT_EQ(chain[2].request_count(), 0U);
}

TEST(Failover, A404AndThenAFailureIsNotAMissingModel) {
    Chain chain(
        {ScriptedBackend::answering(answers(404)), ScriptedBackend::answering(answers(500))});
    EXPECT_EQ(chain.post(chat_body()).status, 500);
    Chain::Extra extra;
    const support::ReservedPort dead;
    extra.dead_ports = {dead.number()};
    Chain refused({ScriptedBackend::answering(answers(404))}, extra);
    const auto reply = refused.post(chat_body());
    EXPECT_EQ(reply.status, 503) << "the dead one may have it";
    EXPECT_EQ(refused[0].request_count(), 1U);
}

TEST(Failover, AParkedBackendIsLeftAloneForAsLongAsItAsked) {
    struct Case {
        std::string value;
        int shown_at_least;
        int shown_at_most;
    };
    const std::vector<Case> cases{{"30", 30, 30},
                                  {"1000000000", 60, 60},
                                  {"99999999999999999999", 60, 60},
                                  {"soon", 1, 1},
                                  {"0", 1, 1},
                                  {"Fri, 31 Dec 2100 23:59:59 GMT", 60, 60},
                                  {"Sun, 06 Nov 1994 08:49:37 GMT", 1, 1}};
    for (const Case& one : cases) {
        SCOPED_TRACE(one.value);
        Chain chain(
            {ScriptedBackend::answering(answers(429, "Retry-After: " + one.value + "\r\n"))});
        const auto first = chain.post(chat_body());
        EXPECT_EQ(first.status, 429);
        EXPECT_EQ(first.body, "{\"own\": \"429\"}");
        EXPECT_EQ(first.head.count("Retry-After"), 1U);
        EXPECT_GE(std::stoi(first.header("Retry-After")), one.shown_at_least);
        EXPECT_LE(std::stoi(first.header("Retry-After")), one.shown_at_most);
        EXPECT_EQ(chain.count("a", "failures"), 0) << "full, not broken";
        if (one.shown_at_least < 30) continue;
        const auto second = chain.post(chat_body());
        EXPECT_EQ(second.status, 503);
        EXPECT_EQ(chain[0].request_count(), 1U) << "not asked while parked";
        EXPECT_GE(std::stoi(second.header("Retry-After")), one.shown_at_least - 5);
        EXPECT_LE(std::stoi(second.header("Retry-After")), one.shown_at_most);
    }
}

TEST(Failover, ADeadPooledConnectionIsReplacedSilently) {
    // The second request on a connection gets no answer; on a fresh one it does.
    Chain chain({[](Peer& peer) {
        peer.read_request();
        peer.reply(200, kAnswer);
        peer.read_request();
        peer.close();
    }});
    support::RawClient client(chain.port());
    EXPECT_EQ(client.post(support::kChat, chat_body()).status, 200);
    EXPECT_EQ(client.post(support::kChat, chat_body()).status, 200);
    EXPECT_EQ(chain[0].request_count(), 3U) << "the second one on two connections";
    EXPECT_EQ(chain.count("a", "failures"), 0);
}

TEST(Failover, APooledConnectionThatWasClosedIsSeenBeforeItIsUsed) {
    Chain chain({[](Peer& peer) {
        peer.read_request();
        peer.reply(200, kAnswer);
        peer.close();
    }});
    support::RawClient client(chain.port());
    for (int i = 0; i < 5; ++i) EXPECT_EQ(client.post(support::kChat, chat_body()).status, 200);
    EXPECT_EQ(chain[0].request_count(), 5U);
}

TEST(Failover, BytesBehindAnAnswerCostTheConnectionOnly) {
    Chain chain({ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
        peer.send(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n"
            "Content-Length: 4\r\n\r\nevil");
        peer.wait_closed();
    })});
    support::RawClient client(chain.port());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client.post(support::kChat, chat_body()).body, "{}");
    EXPECT_EQ(chain[0].connection_count() - chain[0].probe_count(), 3U);
    EXPECT_TRUE(chain[0].failures().empty());
}

/// Bytes that lie unread in sockets of this process whose other end is `port`.
int unread_from(std::uint16_t port) {
    int sum = 0;
    for (int fd = 0; fd < 1024; ++fd) {
        sockaddr_in theirs{};
        socklen_t size = sizeof theirs;
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&theirs), &size) != 0) continue;
        int waiting = 0;
        if (ntohs(theirs.sin_port) == port && ::ioctl(fd, FIONREAD, &waiting) == 0) sum += waiting;
    }
    return sum;
}

TEST(Failover, BytesThatComeAfterAnAnswerAreNobodysAnswer) {
    std::promise<void> answered;
    auto was_answered = answered.get_future().share();
    std::atomic<int> answers{0};
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
        peer.reply(200, kAnswer);
        if (++answers > 1) return;
        was_answered.wait_for(support::kPatience);
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    })});
    support::RawClient client(chain.port());
    EXPECT_EQ(client.post(support::kChat, chat_body()).body, kAnswer);
    answered.set_value();
    EXPECT_TRUE(support::eventually([&] { return unread_from(chain[0].port()) > 0; }));
    EXPECT_EQ(client.post(support::kChat, chat_body()).body, kAnswer);
}

TEST(Failover, BytesBehindAnAnswerWithoutABodyCostTheConnectionToo) {
    Chain chain({ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
        peer.send(
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    })});
    support::RawClient client(chain.port());
    for (int i = 0; i < 2; ++i) EXPECT_EQ(client.post(support::kChat, chat_body()).status, 400);
    const auto requests = chain[0].requests();
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_NE(requests[0].connection, requests[1].connection);
}

TEST(Failover, WhatChangesModelsIsSentOnceAlsoWhereAnIdleConnectionCloses) {
    // who is asked on a connection that was idle may do it and close before the answer
    Chain chain({[](Peer& peer) {
        peer.read_request();
        peer.reply(200, kAnswer);
        peer.read_request();
        peer.close();
    }});
    const std::vector<std::pair<const char*, const char*>> ways{
        {"DELETE", "/api/delete"}, {"POST", "/api/pull"}, {"POST", "/api/push"},
        {"POST", "/api/create"},   {"POST", "/api/copy"},
    };
    support::RawClient client(chain.port());
    EXPECT_EQ(client.post(support::kChat, chat_body()).status, 200);
    for (const auto& [method, path] : ways) {
        SCOPED_TRACE(path);
        const std::size_t before = chain[0].request_count();
        EXPECT_EQ(client.request(method, path, R"({"model":"test-model"})").status, 200);
        EXPECT_EQ(chain[0].request_count(), before + 1);
    }
    // what changes nothing may be asked again
    EXPECT_EQ(client.request("HEAD", "/api/blobs/sha256:aa").status, 200);
}

TEST(Failover, EightInterimAnswersAreSwallowed) {
    Chain chain({ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
        for (int i = 0; i < 8; ++i) peer.send("HTTP/1.1 103 Early Hints\r\n\r\n");
        peer.reply(200, kAnswer);
    })});
    const auto reply = chain.post(chat_body());
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.raw.find(" 103 "), std::string::npos);
}

TEST(Failover, A200WithAnErrorObjectIsPassedOnAndCounted) {
    Chain chain({ScriptedBackend::answering_json(R"({"error":{"message":"no"}})"), good_backend()});
    const auto reply = chain.post(chat_body());
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, R"({"error":{"message":"no"}})");
    EXPECT_EQ(chain[1].request_count(), 0U);
    EXPECT_EQ(chain.count("a", "failures"), 1);
}

TEST(Failover, AnErrorTooLargeToHoldIsPassedOnWhole) {
    const std::string large(17 * 1024 * 1024, 'e');
    Chain chain({ScriptedBackend::answering(
        [&](Peer& peer, const RecordedRequest&) { peer.reply(500, large, "text/plain"); })});
    const auto reply = chain.post(chat_body());
    EXPECT_EQ(reply.status, 500);
    EXPECT_TRUE(reply.body == large);
    EXPECT_TRUE(reply.clean_end);
    EXPECT_EQ(chain.count("a", "failures"), 1);
}

TEST(Failover, TheDecisionIsInTheHeadersOfErrorsToo) {
    Chain chain({ScriptedBackend::answering(answers(400)), good_backend(), good_backend()});
    const auto reply = chain.post(chat_body(), {{"X-Request-ID", "mine"}});
    EXPECT_EQ(reply.header("X-Backend-Used"), "a");
    EXPECT_EQ(reply.header("X-Alternatives"), "b,c");
    EXPECT_EQ(reply.header("X-Routing-Reason"), "balanced");
    EXPECT_EQ(reply.header("X-Request-ID"), "mine");
    EXPECT_EQ(chain[0].requests().at(0).header("X-Request-ID"), "mine");
}

TEST(Failover, ABackendThatStartsAfterTheProxyServesItsFirstRequest) {
    support::ReservedPort port;
    const support::TestDaemon daemon(
        support::config_yaml({support::backend_yaml("late", port.number())},
                             "health: {unhealthy_threshold: 1, interval_ms: 600000, "
                             "idle_interval_ms: 600000}"));
    daemon.wait_until_unhealthy("late");
    EXPECT_EQ(support::http_post(daemon.port(), support::kChat, chat_body()).status, 503);
    ScriptedBackend backend(good_backend(), {}, std::move(port));
    // no probe is due for ten minutes: what finds it is the request's own, which has 40 ms, and on
    // a machine that is busy with something else that may be the next request's
    EXPECT_TRUE(support::eventually([&] {
        return support::http_post(daemon.port(), support::kChat, chat_body()).status == 200;
    }));
    EXPECT_EQ(backend.request_count(), 1U);
}

TEST(Failover, ALateBackendIsFoundAlsoWhileOthersThatLackTheModelAreWell) {
    support::ReservedPort port;
    ScriptedBackend other(good_backend());
    const support::TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("other", other.port()),
         support::backend_yaml("late", port.number())},
        "health: {unhealthy_threshold: 1, interval_ms: 600000, idle_interval_ms: 600000}"));
    support::wait_until_known(daemon, "other");
    daemon.wait_until_unhealthy("late");
    ScriptedBackend::Options options;
    options.models = {"rare"};
    ScriptedBackend backend(good_backend(), options, std::move(port));
    support::HttpReply reply;
    EXPECT_TRUE(support::eventually([&] {
        reply = support::http_post(daemon.port(), support::kChat, chat_body(false, "rare"));
        return reply.status == 200;
    })) << reply.body;
    EXPECT_EQ(reply.header("X-Backend-Used"), "late");
}

TEST(Failover, AFailingBackendIsLeftAloneAndComesBack) {
    Chain::Extra extra;
    extra.sections =
        "health: {interval_ms: 600000, idle_interval_ms: 600000}\n"
        "circuit_breaker: {consecutive_failures: 3, open_ms: 300, max_open_ms: 300}";
    std::atomic<bool> broken{true};
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
                    if (broken) return peer.reply(500, "{}");
                    peer.reply(200, kAnswer);
                })},
                extra);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(chain.post(chat_body()).status, 500);
    const auto refused = chain.post(chat_body());
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.header("Retry-After"), "1");
    EXPECT_EQ(code_of(refused), "no_available_backends");
    EXPECT_EQ(chain[0].request_count(), 3U);
    broken = false;
    EXPECT_TRUE(support::eventually([&] { return chain.post(chat_body()).status == 200; }));
    EXPECT_TRUE(support::eventually([&] {
        EXPECT_EQ(chain.post(chat_body()).status, 200);
        return chain.daemon().backend("a")->at("circuit") == "closed";
    }));
}

TEST(Failover, NothingOfABrokenStreamIsContinuedByAnother) {
    Chain chain({ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
                     peer.begin_chunked();
                     peer.chunk(support::delta("from a"));
                     peer.reset();
                 }),
                 support::streaming("text/event-stream", {support::delta("from b") +
                                                          support::kFinish + support::kDone})});
    const auto reply = chain.post(chat_body(true));
    EXPECT_FALSE(reply.clean_end);
    EXPECT_EQ(reply.body.find("from b"), std::string::npos);
    EXPECT_EQ(chain[1].request_count(), 0U);
}

}  // namespace
}  // namespace ollama_proxy
