#include "ollama_proxy/codec/error_body.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace ollama_proxy::codec {
namespace {

using nlohmann::json;

TEST(ErrorBody, MapsEveryCodeAsTheWireContractSays) {
    struct Row {
        Errc code;
        int status;
        std::string_view name;
        std::string_view type;
    };
    const std::vector<Row> rows = {
        {Errc::invalid_request, 400, "invalid_request", "invalid_request_error"},
        {Errc::invalid_framing, 400, "invalid_request", "invalid_request_error"},
        {Errc::forbidden_host, 403, "forbidden_host", "permission_error"},
        {Errc::forbidden_origin, 403, "forbidden_origin", "permission_error"},
        {Errc::request_timeout, 408, "request_timeout", "invalid_request_error"},
        {Errc::uri_too_long, 414, "uri_too_long", "invalid_request_error"},
        {Errc::header_too_large, 431, "header_too_large", "invalid_request_error"},
        {Errc::unsupported_encoding, 415, "unsupported_encoding", "invalid_request_error"},
        {Errc::not_supported, 501, "not_supported", "invalid_request_error"},
        {Errc::request_too_large, 413, "request_too_large", "invalid_request_error"},
        {Errc::invalid_api_key, 401, "invalid_api_key", "authentication_error"},
        {Errc::permission_denied, 403, "permission_denied", "permission_error"},
        {Errc::backend_not_found, 400, "backend_not_found", "invalid_request_error"},
        {Errc::model_not_found, 404, "model_not_found", "invalid_request_error"},
        {Errc::route_not_found, 404, "not_found", "invalid_request_error"},
        {Errc::method_not_allowed, 405, "method_not_allowed", "invalid_request_error"},
        {Errc::queue_full, 429, "queue_full", "rate_limit_error"},
        {Errc::rate_limited, 429, "rate_limited", "rate_limit_error"},
        {Errc::queue_timeout, 503, "queue_timeout", "server_error"},
        {Errc::no_available_backends, 503, "no_available_backends", "server_error"},
        {Errc::overloaded, 503, "overloaded", "server_error"},
        {Errc::shutting_down, 503, "shutting_down", "server_error"},
        {Errc::bad_gateway, 502, "bad_gateway", "server_error"},
        {Errc::upstream_refused, 502, "bad_gateway", "server_error"},
        {Errc::upstream_timeout, 504, "upstream_timeout", "server_error"},
        {Errc::upstream_stalled, 504, "upstream_stalled", "server_error"},
        {Errc::cancelled, 499, "cancelled", "invalid_request_error"},
        {Errc::internal, 500, "internal_error", "server_error"},
        {Errc::config, 500, "internal_error", "server_error"},
        {Errc::io, 500, "internal_error", "server_error"},
    };
    for (const Row& row : rows) {
        EXPECT_EQ(status_of(row.code), row.status) << row.name;
        EXPECT_EQ(code_name(row.code), row.name);
        EXPECT_EQ(openai_error_type(row.status), row.type) << row.name;
    }
}

TEST(ErrorBody, NamesAnthropicTypesByStatus) {
    EXPECT_EQ(anthropic_error_type(400), "invalid_request_error");
    EXPECT_EQ(anthropic_error_type(401), "authentication_error");
    EXPECT_EQ(anthropic_error_type(403), "permission_error");
    EXPECT_EQ(anthropic_error_type(404), "not_found_error");
    EXPECT_EQ(anthropic_error_type(413), "request_too_large");
    EXPECT_EQ(anthropic_error_type(429), "rate_limit_error");
    EXPECT_EQ(anthropic_error_type(500), "api_error");
    EXPECT_EQ(anthropic_error_type(502), "api_error");
    EXPECT_EQ(anthropic_error_type(503), "overloaded_error");
    EXPECT_EQ(anthropic_error_type(501), "invalid_request_error");
}

TEST(ErrorBody, FindsTheDialectOfAPathAndAnApi) {
    EXPECT_EQ(error_dialect_of("/v1/messages"), ErrorDialect::anthropic);
    EXPECT_EQ(error_dialect_of("/v1/messages/count_tokens"), ErrorDialect::anthropic);
    EXPECT_EQ(error_dialect_of("/v1/messages?beta=true"), ErrorDialect::anthropic);
    EXPECT_EQ(error_dialect_of("/v1/messagesx"), ErrorDialect::openai);
    EXPECT_EQ(error_dialect_of("/api/chat"), ErrorDialect::ollama);
    EXPECT_EQ(error_dialect_of("/apix"), ErrorDialect::openai);
    EXPECT_EQ(error_dialect_of(""), ErrorDialect::openai);
    EXPECT_EQ(error_dialect_of(Api::count_tokens), ErrorDialect::anthropic);
    EXPECT_EQ(error_dialect_of(Api::ollama_show), ErrorDialect::ollama);
    EXPECT_EQ(error_dialect_of(Api::responses), ErrorDialect::openai);
}

TEST(ErrorBody, WritesEachDialectsShape) {
    const Error error{Errc::model_not_found, "no \"x\"\n", "model", 0};
    EXPECT_EQ(json::parse(error_body(ErrorDialect::openai, error)), json::parse(R"({"error":{
        "message":"no \"x\"\n","type":"invalid_request_error","param":"model",
        "code":"model_not_found"}})"));
    EXPECT_EQ(json::parse(error_body(ErrorDialect::anthropic, error)), json::parse(R"({
        "type":"error","error":{"type":"not_found_error","message":"no \"x\"\n"}})"));
    EXPECT_EQ(error_body(ErrorDialect::ollama, error), R"({"error":"no \"x\"\n"})");
}

TEST(ErrorBody, WritesNullForNoParam) {
    const json body =
        json::parse(error_body(ErrorDialect::openai, make_error(Errc::internal, "x")));
    EXPECT_TRUE(body["error"]["param"].is_null());
}

TEST(ErrorBody, ReplacesBytesThatAreNoUtf8) {
    const std::string body =
        error_body(ErrorDialect::ollama, make_error(Errc::internal, "a\xff\xc3 b"));
    EXPECT_EQ(json::parse(body)["error"], "a\xef\xbf\xbd\xef\xbf\xbd b");
}

TEST(ErrorBody, EndsAStreamWithOneWholeEvent) {
    const Error error = make_error(Errc::upstream_stalled, "two\nlines");
    const std::string sse = error_event(ErrorDialect::openai, error);
    EXPECT_EQ(sse, "data: " + error_body(ErrorDialect::openai, error) + "\n\n");
    EXPECT_EQ(sse.find('\n'), sse.size() - 2);
    EXPECT_EQ(error_event(ErrorDialect::anthropic, error),
              "event: error\ndata: " + error_body(ErrorDialect::anthropic, error) + "\n\n");
    EXPECT_EQ(error_event(ErrorDialect::ollama, error),
              error_body(ErrorDialect::ollama, error) + "\n");
}

TEST(ErrorEvent, OfABackendsOwnBodyIsThatBodyOnOneLine) {
    const std::string own = "{ \"error\" :\n {\"code\":\"mine\", \"message\":\"a\\nb\"} }";
    EXPECT_EQ(error_event_of(ErrorDialect::openai, own),
              "data: {\"error\":{\"code\":\"mine\",\"message\":\"a\\nb\"}}\n\n");
    EXPECT_EQ(error_event_of(ErrorDialect::anthropic, "{\"type\":\"error\",\"error\":{}}"),
              "event: error\ndata: {\"type\":\"error\",\"error\":{}}\n\n");
    EXPECT_EQ(error_event_of(ErrorDialect::ollama, "{\"error\":\"no\"}"), "{\"error\":\"no\"}\n");
    EXPECT_FALSE(error_event_of(ErrorDialect::anthropic, own)) << "not its shape";
    for (const char* other : {"", "<html>", "[]", "{}", "{\"message\":\"x\"}", "{\"error\":"}) {
        EXPECT_FALSE(error_event_of(ErrorDialect::openai, other)) << other;
    }
}

}  // namespace
}  // namespace ollama_proxy::codec
