#include "ollama_proxy/codec/http1.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ollama_proxy::codec {
namespace {

HeadOutcome request(std::string_view text, RequestHead& head, const HeadLimits& limits = {}) {
    return parse_request_head(text, limits, head);
}

HeadOutcome response(std::string_view text, ResponseHead& head, std::string_view method = "POST") {
    return parse_response_head(text, {}, method, head);
}

RequestHead good_request(std::string_view text) {
    RequestHead head;
    const HeadOutcome outcome = request(text, head);
    EXPECT_EQ(outcome.state, HeadState::complete) << text << ": " << outcome.why;
    return head;
}

ResponseHead good_response(std::string_view text, std::string_view method = "POST") {
    ResponseHead head;
    const HeadOutcome outcome = response(text, head, method);
    EXPECT_EQ(outcome.state, HeadState::complete) << text << ": " << outcome.why;
    return head;
}

TEST(RequestHeadParser, ReadsAnOrdinaryRequest) {
    const std::string text =
        "POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: localhost:8080\r\n"
        "Content-Type:application/json\r\nContent-Length: 12\r\nX-Empty:\r\n"
        "X-Text: \t caf\xc3\xa9 a\tb \r\nExpect: 100-Continue\r\n\r\nbody";
    const RequestHead head = good_request(text);
    EXPECT_EQ(head.method, "POST");
    EXPECT_EQ(head.target, "/v1/chat/completions?x=1");
    EXPECT_EQ(head.minor_version, 1);
    EXPECT_EQ(head.framing, Framing::length);
    EXPECT_EQ(head.content_length, 12U);
    EXPECT_EQ(head.host, "localhost:8080");
    EXPECT_EQ(head.size, text.size() - 4);
    EXPECT_EQ(head.get("CONTENT-TYPE"), "application/json");
    EXPECT_EQ(head.get("x-text"), "caf\xc3\xa9 a\tb");
    EXPECT_NE(head.get("x-empty").data(), nullptr);
    EXPECT_EQ(head.get("x-absent").data(), nullptr);
    EXPECT_TRUE(head.keep_alive);
    EXPECT_TRUE(head.expect_continue);
}

TEST(RequestHeadParser, KeepsTheConnectionAsVersionAndTokensSay) {
    EXPECT_TRUE(good_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
    EXPECT_FALSE(
        good_request("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").keep_alive);
    EXPECT_FALSE(good_request("GET / HTTP/1.0\r\n\r\n").keep_alive);
    EXPECT_TRUE(good_request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
    EXPECT_FALSE(good_request("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n"
                              "Connection: close\r\n\r\n")
                     .keep_alive);
}

TEST(RequestHeadParser, TellsTheFramingOfTheBody) {
    EXPECT_EQ(good_request("POST / HTTP/1.1\r\nHost: a\r\n\r\n").framing, Framing::none);
    EXPECT_EQ(
        good_request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n").framing,
        Framing::chunked);
    EXPECT_EQ(good_request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").framing,
              Framing::length);
}

TEST(RequestHeadParser, ForgetsWhatTheRequestBeforeSaid) {
    RequestHead head;
    ASSERT_EQ(request("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nExpect: 100-continue\r\n"
                      "Connection: close\r\n\r\n",
                      head)
                  .state,
              HeadState::complete);
    ASSERT_EQ(request("GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", head).state,
              HeadState::complete);
    EXPECT_EQ(head.fields.size(), 1U);
    EXPECT_EQ(head.framing, Framing::none);
    EXPECT_EQ(head.content_length, 0U);
    EXPECT_TRUE(head.keep_alive);
    EXPECT_FALSE(head.expect_continue);
    EXPECT_TRUE(head.host.empty());
}

TEST(RequestHeadParser, WantsMoreAtEverySplitAndThenAgrees) {
    const std::string text =
        "\r\nPOST http://localhost:1/x HTTP/1.1\r\nHost: localhost:1\r\nA: b\tc\r\n"
        "Content-Length: 3\r\n\r\n";
    for (std::size_t size = 0; size < text.size(); ++size) {
        RequestHead head;
        EXPECT_EQ(request(text.substr(0, size), head).state, HeadState::need_more) << size;
    }
    EXPECT_EQ(good_request(text).size, text.size());
}

TEST(RequestHeadParser, AcceptsEveryFormOfHostAndTarget) {
    for (const char* host : {"localhost", "a.b-c_d.example:65535", "127.0.0.1:80", "[::1]:8080",
                             "[fe80::1]", "[::ffff:127.0.0.1]"}) {
        EXPECT_EQ(good_request(std::string("GET / HTTP/1.1\r\nHost: ") + host + "\r\n\r\n").host,
                  host);
    }
    good_request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    good_request("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    good_request("GET HTTP://A/x HTTP/1.1\r\nHost: a\r\n\r\n");
}

struct Hostile {
    std::string text;
    Errc code = Errc::invalid_framing;
};

std::string with(const std::string& fields) {
    return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string host(const std::string& value) {
    return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n";
}

std::vector<Hostile> hostile_requests() {
    using namespace std::string_literals;
    std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 0; i < 100; ++i) many += "A: b\r\n";
    return {
        // Transfer-Encoding
        {with("Transfer-Encoding: gzip\r\n")},
        {with("Transfer-Encoding: chunked, chunked\r\n")},
        {with("Transfer-Encoding: gzip, chunked\r\n")},
        {with("Transfer-Encoding: chunked;q=1\r\n")},
        {with("Transfer-Encoding: \"chunked\"\r\n")},
        {with("Transfer-Encoding:\r\n")},
        {with("Transfer-Encoding: identity\r\n")},
        {with("Transfer-Encoding: xchunked\r\n")},
        {with("Transfer-Encoding: \vchunked\r\n")},
        {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
        {with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n")},
        {with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        // Content-Length
        {with("Content-Length: 3\r\nContent-Length: 3\r\n")},
        {with("Content-Length: 3\r\ncontent-length: 4\r\n")},
        {with("Content-Length: 3, 3\r\n")},
        {with("Content-Length: +3\r\n")},
        {with("Content-Length: -3\r\n")},
        {with("Content-Length: 0x3\r\n")},
        {with("Content-Length: 3a\r\n")},
        {with("Content-Length: 1 2\r\n")},
        {with("Content-Length: 3.0\r\n")},
        {with("Content-Length:\r\n")},
        {with("Content-Length: 9223372036854775808\r\n")},
        {with("Content-Length: 18446744073709551616\r\n")},
        {with("Content-Length: 99999999999999999999999\r\n")},
        // Host
        {"GET / HTTP/1.1\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
        {host("")},
        {host("a b")},
        {host("a, b")},
        {host("a/b")},
        {host("user@a")},
        {host("http://a")},
        {host("a:")},
        {host("a:-1")},
        {host("a:65536")},
        {host("a:80:80")},
        {host("a:8o")},
        {host(":80")},
        {host("::1")},
        {host("[::1")},
        {host("[::1]80")},
        {host("[g::1]")},
        {host("[fe80::1%25eth0]")},
        {host("[]")},
        {host("a\xc3\xa9")},
        {host(std::string(256, 'a'))},
        // line ends, folding, control bytes
        {"GET / HTTP/1.1\nHost: a\n\n"},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n"},
        {"GET / HTTP/1.1\rHost: a\r\n\r\n"},
        {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n"},
        {with("A: b\r\n c\r\n")},
        {with("A: b\r\n\tc\r\n")},
        {"GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
        {with("A: b\rc\r\n")},
        {with("A: b\nC: d\r\n")},
        {with("A: b\r\r\n")},
        {with("A: b\0c\r\n"s)},
        {with("A: b\x01 and a long rest\r\n")},
        {with("A: 12345678\x7f\r\n")},
        {with("A: 1234\t678\x1b\r\n")},
        // names
        {with("A : b\r\n")},
        {with("A\t: b\r\n")},
        {with(": b\r\n")},
        {with("A b: c\r\n")},
        {with("A\0: c\r\n"s)},
        {with("A\xc3\xa9: c\r\n")},
        {with("A(: c\r\n")},
        {with("Alone\r\n")},
        {with("Content-Length : 3\r\n")},
        // request line
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
        {" GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET /\r\n\r\n"},
        {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET /a\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET http://u@a/ HTTP/1.0\r\n\r\n"},
        {"GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        {"GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
        {"GET / http/1.1\r\nHost: a\r\n\r\n"},
        {"GET / HTTP/1.11\r\nHost: a\r\n\r\n"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {"\x16\x03\x01\x02"},
        {std::string(33, 'M')},
        // limits
        {"GET /" + std::string(9000, 'a'), Errc::uri_too_long},
        {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", Errc::uri_too_long},
        {with("A: " + std::string(17000, 'b') + "\r\n"), Errc::header_too_large},
        {with("A: " + std::string(17000, 'b')), Errc::header_too_large},
        {with(std::string(17000, 'n')), Errc::header_too_large},
        {many + "\r\n", Errc::header_too_large},
        {many, Errc::header_too_large},
    };
}

TEST(RequestHeadParser, RefusesHostileHeads) {
    const std::vector<Hostile> rows = hostile_requests();
    ASSERT_GE(rows.size(), 60U);
    for (const Hostile& row : rows) {
        RequestHead head;
        const HeadOutcome outcome = request(row.text, head);
        EXPECT_EQ(outcome.state, HeadState::refused) << row.text.substr(0, 200);
        EXPECT_EQ(outcome.code, row.code) << row.text.substr(0, 200);
        EXPECT_NE(std::string_view(outcome.why), "");
    }
}

TEST(RequestHeadParser, CountsHeadAndFieldsExactly) {
    const std::string head_text = "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
    RequestHead head;
    HeadLimits limits{.bytes = head_text.size(), .fields = 2, .target = 1};
    EXPECT_EQ(request(head_text + "more", head, limits).state, HeadState::complete);
    limits.bytes -= 1;
    EXPECT_EQ(request(head_text, head, limits).code, Errc::header_too_large);
    limits = {.bytes = 100, .fields = 1, .target = 1};
    EXPECT_EQ(request(head_text, head, limits).code, Errc::header_too_large);
    limits = {.bytes = 100, .fields = 2, .target = 0};
    EXPECT_EQ(request(head_text, head, limits).code, Errc::uri_too_long);
}

TEST(RequestHeadParser, ReportsABadByteBeforeTheHeadIsWhole) {
    RequestHead head;
    EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\nMore", head).state,
              HeadState::refused);
    EXPECT_EQ(request("GET / HTTX", head).state, HeadState::refused);
    EXPECT_EQ(request("GET / HTTP/1.1\n", head).state, HeadState::refused);
}

TEST(ResponseHeadParser, ReadsAnOrdinaryAnswer) {
    const std::string text =
        "HTTP/1.1 200 OK fine\r\nContent-Type: text/event-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5";
    const ResponseHead head = good_response(text);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.reason, "OK fine");
    EXPECT_EQ(head.framing, Framing::chunked);
    EXPECT_TRUE(head.keep_alive);
    EXPECT_EQ(head.size, text.size() - 1);
    EXPECT_EQ(head.get("content-type"), "text/event-stream");
}

TEST(ResponseHeadParser, AllowsAnEmptyOrMissingReason) {
    EXPECT_EQ(good_response("HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\n").reason, "");
    EXPECT_EQ(good_response("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n").reason, "");
}

TEST(ResponseHeadParser, TellsTheFramingOfTheBody) {
    EXPECT_EQ(good_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").framing,
              Framing::length);
    const ResponseHead open = good_response("HTTP/1.1 200 OK\r\n\r\n");
    EXPECT_EQ(open.framing, Framing::until_close);
    EXPECT_FALSE(open.keep_alive);
    EXPECT_EQ(good_response("HTTP/1.0 200 OK\r\n\r\n").framing, Framing::until_close);
    EXPECT_EQ(good_response("HTTP/1.1 100 Continue\r\n\r\n").framing, Framing::none);
    EXPECT_EQ(good_response("HTTP/1.1 204 No Content\r\n\r\n").framing, Framing::none);
    EXPECT_EQ(good_response("HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n").framing, Framing::none);
    const ResponseHead head = good_response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD");
    EXPECT_EQ(head.framing, Framing::none);
    EXPECT_EQ(head.content_length, 9U);
    EXPECT_TRUE(head.keep_alive);
}

TEST(ResponseHeadParser, WantsMoreAtEverySplit) {
    const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\n\r\n";
    for (std::size_t size = 0; size < text.size(); ++size) {
        ResponseHead head;
        EXPECT_EQ(response(text.substr(0, size), head).state, HeadState::need_more) << size;
    }
}

TEST(ResponseHeadParser, RefusesHostileHeadsAsABadGateway) {
    using namespace std::string_literals;
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    const std::vector<std::string> rows = {
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 +20 OK\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n"s,
        "HTTP/1.1 200 OK\n\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        ok + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
        ok + "Content-Length: 3, 3\r\n\r\n",
        ok + "Content-Length: -3\r\n\r\n",
        ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ok + "A: b\r\n c\r\n\r\n",
        ok + "A : b\r\n\r\n",
        ok + "A: b\x02\r\n\r\n",
        ok + "A: " + std::string(17000, 'b'),
        "HTTP/1.1 200 " + std::string(17000, 'b'),
        "garbage that never was HTTP",
    };
    for (const std::string& row : rows) {
        ResponseHead head;
        const HeadOutcome outcome = response(row, head);
        EXPECT_EQ(outcome.state, HeadState::refused) << row.substr(0, 100);
        EXPECT_EQ(outcome.code, Errc::bad_gateway) << row.substr(0, 100);
    }
}

}  // namespace
}  // namespace ollama_proxy::codec
