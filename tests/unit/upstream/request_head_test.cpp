#include "upstream/request_head.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::upstream {
namespace {

config::Backend backend() {
    config::Backend out;
    out.endpoint.host = "gpu.local";
    out.endpoint.port = 11434;
    return out;
}

UpstreamRequest post(std::string_view body) {
    UpstreamRequest request;
    request.target = "/api/chat";
    request.fields = "Content-Type: application/json\r\n";
    request.body = body;
    return request;
}

bool has(const std::string& head, std::string_view line) {
    return head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
}

std::string request_head(const config::Backend& backend, const UpstreamRequest& request) {
    std::string out;
    append_request_head(out, backend, request);
    return out;
}

TEST(RequestHead, IsBuiltAnewWithOurHostAndLength) {
    EXPECT_EQ(request_head(backend(), post("{}")),
              "POST /api/chat HTTP/1.1\r\nHost: gpu.local:11434\r\n"
              "Content-Type: application/json\r\nAccept-Encoding: identity\r\n"
              "Content-Length: 2\r\n\r\n");
}

TEST(RequestHead, SpellsTheHostAsItsSchemeWants) {
    config::Backend one = backend();
    one.endpoint.port = 80;
    EXPECT_TRUE(has(request_head(one, post({})), "Host: gpu.local"));
    one.endpoint.tls = true;
    EXPECT_TRUE(has(request_head(one, post({})), "Host: gpu.local:80"));
    one.endpoint.port = 443;
    EXPECT_TRUE(has(request_head(one, post({})), "Host: gpu.local"));
    one.endpoint.host = "::1";
    EXPECT_TRUE(has(request_head(one, post({})), "Host: [::1]"));
    one.endpoint.base_path = "/openai";
    EXPECT_TRUE(request_head(one, post({})).starts_with("POST /openai/api/chat HTTP/1.1\r\n"));
}

TEST(RequestHead, ACredentialGoesToItsBackendAndTheClientsOnlyWhereConfigured) {
    config::Backend one = backend();
    UpstreamRequest request = post("{}");
    request.authorization = "Bearer client";
    EXPECT_EQ(request_head(one, request).find("Authorization"), std::string::npos);
    one.forward_authorization = true;
    EXPECT_TRUE(has(request_head(one, request), "Authorization: Bearer client"));
    one.secret = "own";
    const std::string head = request_head(one, request);
    EXPECT_TRUE(has(head, "Authorization: Bearer own"));
    EXPECT_EQ(head.find("client"), std::string::npos);
}

TEST(RequestHead, AnEmptyPostHasALengthAndAGetHasNone) {
    EXPECT_TRUE(has(request_head(backend(), post({})), "Content-Length: 0"));
    UpstreamRequest get = post({});
    get.method = "GET";
    EXPECT_EQ(request_head(backend(), get).find("Content-Length"), std::string::npos);
    get.method = "DELETE";
    get.body = "{}";
    EXPECT_TRUE(has(request_head(backend(), get), "Content-Length: 2"));
}

TEST(RequestHead, AddsTheConfiguredFields) {
    config::Backend one = backend();
    one.headers = {{"X-Team", "blue"}};
    EXPECT_TRUE(has(request_head(one, post({})), "X-Team: blue"));
}

}  // namespace
}  // namespace ollama_proxy::upstream
