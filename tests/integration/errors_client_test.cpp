// The rows of the wire contract's error table that are the client's fault, in all three dialects.

#include "front_end.hpp"

#include <vector>

namespace ollama_proxy::front_end {
namespace {

struct ClientFault {
    const char* name;
    const char* path;
    std::string body;
    Headers headers;
    int status;
    const char* code;
    const char* param;    ///< "" = null
    const char* mention;  ///< what the message must tell
};

std::vector<ClientFault> client_faults() {
    std::vector<ClientFault> all;
    struct Dialect {
        const char* path;
        const char* good;
    };
    const std::vector<Dialect> dialects{
        {"/v1/chat/completions", R"({"model":"test-model","messages":["hi"]})"},
        {"/v1/messages", R"({"model":"test-model","messages":["hi"],"max_tokens":9})"},
        {"/api/chat", R"({"model":"test-model","messages":["hi"]})"},
    };
    for (const auto& [path, good] : dialects) {
        const auto add = [&all, route = path](const char* name, std::string body, Headers headers,
                                              int status, const char* code, const char* param,
                                              const char* mention) {
            all.push_back(
                {name, route, std::move(body), std::move(headers), status, code, param, mention});
        };
        add("cut JSON", R"({"model":"test-model")", {}, 400, "invalid_request", "", "");
        add("no JSON at all", "hello", {}, 400, "invalid_request", "", "");
        add("empty body", "", {}, 400, "invalid_request", "", "");
        add("an array", "[]", {}, 400, "invalid_request", "", "");
        add("no model", R"({"messages":["hi"]})", {}, 400, "invalid_request", "model", "model");
        add("model is a number", R"({"model":7,"messages":["hi"]})", {}, 400, "invalid_request",
            "model", "model");
        add("stream is a word", R"({"model":"test-model","messages":["hi"],"stream":"yes"})", {},
            400, "invalid_request", "stream", "stream");
        add("JSON too deep",
            R"({"model":"test-model","messages":)" + std::string(80, '[') + std::string(80, ']') +
                "}",
            {}, 400, "invalid_request", "", "");
        add("gzip", good, {{"Content-Encoding", "gzip"}}, 415, "unsupported_encoding",
            "Content-Encoding", "Content-Encoding");
        add("body over the limit", std::string(3000, ' ') + good, {}, 413, "request_too_large", "",
            "body_bytes");
        add("unknown model", R"({"model":"nobody","messages":["hi"]})", {}, 404, "model_not_found",
            "model", "a: does not have the model");
        add("unknown target", good, {{"X-Target-Backend", "zzz"}}, 400, "backend_not_found",
            "X-Target-Backend", "a");
        add("priority", good, {{"X-Priority", "urgent"}}, 400, "invalid_request", "X-Priority",
            "critical");
        add("priority 4", good, {{"x-priority", "4"}}, 400, "invalid_request", "X-Priority", "3");
        add("latency", good, {{"X-Max-Latency-Ms", "soon"}}, 400, "invalid_request",
            "X-Max-Latency-Ms", "whole number");
        add("latency 0", good, {{"X-Max-Latency-Ms", "0"}}, 400, "invalid_request",
            "X-Max-Latency-Ms", "above 0");
        add("latency overflow", good, {{"X-Max-Latency-Ms", "99999999999999999999"}}, 400,
            "invalid_request", "X-Max-Latency-Ms", "");
        add("watts", good, {{"X-Max-Power-Watts", "nan"}}, 400, "invalid_request",
            "X-Max-Power-Watts", "above 0");
        add("negative watts", good, {{"X-Max-Power-Watts", "-5"}}, 400, "invalid_request",
            "X-Max-Power-Watts", "");
        add("infinite watts", good, {{"X-Max-Power-Watts", "inf"}}, 400, "invalid_request",
            "X-Max-Power-Watts", "");
        add("latency critical", good, {{"X-Latency-Critical", "maybe"}}, 400, "invalid_request",
            "X-Latency-Critical", "true or false");
        add("power efficient", good, {{"X-Power-Efficient", "2"}}, 400, "invalid_request",
            "X-Power-Efficient", "true or false");
        add("media type", good, {{"X-Media-Type", "smell"}}, 400, "invalid_request", "X-Media-Type",
            "realtime");
    }
    all.push_back({"no messages",
                   "/v1/chat/completions",
                   R"({"model":"test-model"})",
                   {},
                   400,
                   "invalid_request",
                   "messages",
                   "messages"});
    all.push_back({"messages is text",
                   "/v1/chat/completions",
                   R"({"model":"test-model","messages":"hi"})",
                   {},
                   400,
                   "invalid_request",
                   "messages",
                   ""});
    all.push_back({"no prompt",
                   "/v1/completions",
                   R"({"model":"test-model"})",
                   {},
                   400,
                   "invalid_request",
                   "prompt",
                   "prompt"});
    all.push_back({"no input",
                   "/v1/embeddings",
                   R"({"model":"test-model"})",
                   {},
                   400,
                   "invalid_request",
                   "input",
                   "input"});
    return all;
}

TEST(ErrorsOfTheClient, EachHasItsStatusDialectCodeAndParamAndNeverReachesTheBackend) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())},
                             "server: { limits: { body_bytes: 2500 } }\n"
                             "health: { interval_ms: 60000, idle_interval_ms: 60000 }"));
    wait_until_known(daemon, "a");
    int number = 0;
    for (const ClientFault& fault : client_faults()) {
        SCOPED_TRACE(std::string(fault.name) + " at " + fault.path);
        const std::string id = "id-" + std::to_string(++number);
        Headers headers = fault.headers;
        headers.emplace_back("X-Request-ID", id);
        headers.emplace_back("Origin", kPage);
        const auto reply = support::http_post(daemon.port(), fault.path, fault.body, headers);
        const std::string message =
            expect_error(reply, shape_of(fault.path), fault.status, fault.code, fault.param);
        EXPECT_NE(message.find(fault.mention), std::string::npos) << message;
        expect_echoes(reply, id);
    }
    EXPECT_EQ(backend.request_count(), 0U);
}

TEST(ErrorsOfTheClient, UnknownRoutesAre404InTheDialectOfTheirPrefix) {
    const TestDaemon daemon(support::config_yaml({}));
    for (const char* path : {"/v1/nope", "/api/nope", "/v1/messages/nope", "/nope", "/v1",
                             "/v1/models/", "/v1/messagesque", "//v1/models", "/api/blobs/"}) {
        SCOPED_TRACE(path);
        const auto reply =
            support::http_get(daemon.port(), path, {{"X-Request-ID", "r"}, {"Origin", "app://x"}});
        const Shape shape =
            path == std::string_view("/v1/messagesque") ? Shape::openai : shape_of(path);
        expect_error(reply, shape, 404, "not_found");
        EXPECT_EQ(reply.header("X-Request-ID"), "r");
        EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), "app://x");
    }
}

TEST(ErrorsOfTheClient, AWrongVerbIs405WithAllow) {
    const TestDaemon daemon(support::config_yaml({}));
    struct Case {
        const char* method;
        const char* path;
        const char* allow;
    };
    for (const Case& c :
         {Case{"GET", "/v1/chat/completions", "POST, OPTIONS"},
          Case{"PUT", "/v1/messages", "POST, OPTIONS"},
          Case{"DELETE", "/api/chat", "POST, OPTIONS"},
          Case{"POST", "/api/tags", "GET, HEAD, OPTIONS"},
          Case{"POST", "/v1/models/x", "GET, HEAD, OPTIONS"},
          Case{"PATCH", "/", "GET, HEAD, OPTIONS"}, Case{"POST", "/api/delete", "DELETE, OPTIONS"},
          Case{"GET", "/api/blobs/sha256:00", "HEAD, POST, OPTIONS"},
          Case{"get", "/healthz", "GET, HEAD, OPTIONS"},
          Case{"TRACE", "/healthz", "GET, HEAD, OPTIONS"}}) {
        SCOPED_TRACE(std::string(c.method) + " " + c.path);
        RawClient client(daemon.port());
        const auto reply = client.request(c.method, c.path);
        expect_error(reply, shape_of(c.path), 405, "method_not_allowed");
        EXPECT_EQ(reply.header("Allow"), c.allow);
    }
}

TEST(ErrorsOfTheClient, ConnectAndTraceAre405WhateverTheyName) {
    const TestDaemon daemon(support::config_yaml({}));
    for (const char* line : {"CONNECT example.org:443", "CONNECT /", "TRACE /nope", "TRACE *"}) {
        SCOPED_TRACE(line);
        RawClient client(daemon.port());
        client.send(std::string(line) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
        const auto reply = client.read_reply();
        expect_error(reply, Shape::openai, 405, "method_not_allowed");
        EXPECT_TRUE(reply.has_header("Allow"));
    }
}

TEST(ErrorsOfTheClient, AnUnfitRequestIdIsReplaced) {
    const TestDaemon daemon(support::config_yaml({}));
    for (const std::string& id : {std::string(129, 'x'), std::string("with blank"),
                                  std::string("t\xC3\xA4g"), std::string()}) {
        SCOPED_TRACE(id);
        const auto reply = support::http_get(daemon.port(), "/v1/nope", {{"X-Request-ID", id}});
        EXPECT_NE(reply.header("X-Request-ID"), id);
        EXPECT_FALSE(reply.header("X-Request-ID").empty());
        EXPECT_EQ(reply.head.count("X-Request-ID"), 1U);
    }
    const std::string longest(128, '~');
    EXPECT_EQ(support::http_get(daemon.port(), "/healthz", {{"X-Request-ID", longest}})
                  .header("X-Request-ID"),
              longest);
    const auto one = support::http_get(daemon.port(), "/healthz");
    const auto two = support::http_get(daemon.port(), "/healthz");
    EXPECT_NE(one.header("X-Request-ID"), two.header("X-Request-ID"));
}

TEST(ErrorsOfTheClient, HeadsOverALimitAre414And431InTheDialectOfTheirPath) {
    const TestDaemon daemon(
        support::config_yaml({}, "server: { limits: { header_bytes: 4096, header_fields: 20 } }"));
    std::string fields;
    for (int i = 0; i < 21; ++i) fields += "X-" + std::to_string(i) + ": 1\r\n";
    struct Case {
        std::string rest;
        int status;
        const char* code;
    };
    for (const char* path : {"/v1/chat/completions", "/api/chat", "/v1/messages"}) {
        for (const Case& c :
             {Case{"?" + std::string(5000, 'q') + " HTTP/1.1\r\n", 414, "uri_too_long"},
              Case{" HTTP/1.1\r\nHost: localhost\r\nX-Long: " + std::string(5000, 'v') + "\r\n\r\n",
                   431, "header_too_large"},
              Case{" HTTP/1.1\r\n" + fields + "Host: localhost\r\n\r\n", 431,
                   "header_too_large"}}) {
            SCOPED_TRACE(std::string(path) + " " + c.code);
            RawClient client(daemon.port());
            client.send("POST " + std::string(path) + c.rest);
            const auto reply = client.read_reply("POST");
            expect_error(reply, shape_of(path), c.status, c.code);
            EXPECT_EQ(reply.header("Connection"), "close");
            client.wait_closed();
        }
    }
}

TEST(ErrorsOfTheClient, WhoIsTooSlowGets408) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())},
                             "server: { limits: { header_timeout_ms: 60, body_stall_ms: 60 } }"));
    for (const char* path : {"/v1/chat/completions", "/api/chat", "/v1/messages"}) {
        const std::string head = "POST " + std::string(path) +
                                 " HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: slow\r\n"
                                 "Origin: http://localhost:3000\r\n";
        for (const std::string& request : {head, head + "Content-Length: 10\r\n\r\n{",
                                           head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{",
                                           head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"}) {
            SCOPED_TRACE(request);
            RawClient client(daemon.port());
            client.send(request);
            const auto reply = client.read_reply("POST");
            expect_error(reply, shape_of(path), 408, "request_timeout");
            EXPECT_EQ(reply.header("Connection"), "close");
            if (request != head) expect_echoes(reply, "slow");
            client.wait_closed();
        }
    }
    EXPECT_EQ(backend.request_count(), 0U);
}

}  // namespace
}  // namespace ollama_proxy::front_end
