#pragma once

#include "support/daemon.hpp"
#include "support/raw_client.hpp"
#include "support/scripted_backend.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

/// What the tests of the front end share: whose error shape a path speaks, and what every error
/// reply must carry. Written from the wire contract, not from the daemon's own tables.
namespace ollama_proxy::front_end {

using support::Headers;
using support::HttpReply;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::TestDaemon;

inline constexpr std::string_view kChat = "/v1/chat/completions";
inline constexpr std::string_view kChatBody = R"({"model":"test-model","messages":["hi"]})";
inline constexpr std::string_view kPage = "http://localhost:3000";  ///< an allowed origin

enum class Shape { openai, anthropic, ollama };

inline Shape shape_of(std::string_view path) {
    if (path.starts_with("/v1/messages")) return Shape::anthropic;
    return path.starts_with("/api/") ? Shape::ollama : Shape::openai;
}

inline std::string openai_type(int status) {
    if (status == 401) return "authentication_error";
    if (status == 403) return "permission_error";
    if (status == 429) return "rate_limit_error";
    return status >= 500 && status != 501 ? "server_error" : "invalid_request_error";
}

inline std::string anthropic_type(int status) {
    if (status == 401) return "authentication_error";
    if (status == 403) return "permission_error";
    if (status == 404) return "not_found_error";
    if (status == 413) return "request_too_large";
    if (status == 429) return "rate_limit_error";
    if (status == 503) return "overloaded_error";
    if (status == 504) return "timeout_error";
    return status >= 500 && status != 501 ? "api_error" : "invalid_request_error";
}

/// Healthy, and its catalog has come: until then nobody knows which models are missing there.
inline void wait_until_known(const TestDaemon& daemon, std::string_view id, std::size_t models = 1,
                             std::size_t loaded = 0) {
    daemon.wait_until_healthy(id);
    EXPECT_TRUE(support::eventually([&] {
        const auto entry = daemon.backend(id);
        return entry->at("models").size() >= models && entry->at("loaded_models").size() >= loaded;
    })) << id;
}

inline bool is_positive_integer(const std::string& text) {
    return !text.empty() && text != "0" &&
           std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// Status, dialect, code, param (empty: null) and what every error reply carries. `param` and
/// `code` exist in the OpenAI shape only. Returns the message.
inline std::string expect_error(const HttpReply& reply, Shape shape, int status,
                                std::string_view code, std::string_view param = {}) {
    EXPECT_EQ(reply.status, status) << reply.raw;
    EXPECT_EQ(reply.header("Content-Type"), "application/json") << reply.raw;
    EXPECT_EQ(reply.header("X-Content-Type-Options"), "nosniff");
    EXPECT_NE(reply.header("Vary").find("Origin"), std::string::npos);
    EXPECT_EQ(reply.head.count("X-Request-ID"), 1U);
    EXPECT_EQ(reply.header("Content-Length"), std::to_string(reply.body.size()));
    const bool again = status == 429 || status == 503;
    EXPECT_EQ(is_positive_integer(reply.header("Retry-After")), again) << reply.raw;
    const auto body = nlohmann::json::parse(reply.body, nullptr, false);
    if (!body.is_object() || !body.contains("error")) {
        ADD_FAILURE() << "no error object: " << reply.raw;
        return {};
    }
    const auto& error = body["error"];
    if (shape == Shape::ollama) {
        EXPECT_EQ(body.size(), 1U) << reply.body;
        EXPECT_TRUE(error.is_string()) << reply.body;
        return error.is_string() ? error.get<std::string>() : std::string();
    }
    if (!error.is_object()) {
        ADD_FAILURE() << "error is no object: " << reply.body;
        return {};
    }
    const std::string message = error.value("message", "");
    EXPECT_FALSE(message.empty()) << reply.body;
    if (shape == Shape::anthropic) {
        EXPECT_EQ(body.value("type", ""), "error") << reply.body;
        EXPECT_EQ(error.value("type", ""), anthropic_type(status)) << reply.body;
        return message;
    }
    EXPECT_EQ(error.size(), 4U) << reply.body;
    EXPECT_EQ(error.value("type", ""), openai_type(status)) << reply.body;
    EXPECT_EQ(error.value("code", ""), code) << reply.body;
    if (param.empty()) {
        EXPECT_TRUE(error.contains("param") && error["param"].is_null()) << reply.body;
    } else {
        EXPECT_EQ(error["param"], param) << reply.body;
    }
    return message;
}

/// The id came back as it was sent, and the page may read the reply.
inline void expect_echoes(const HttpReply& reply, std::string_view id) {
    EXPECT_EQ(reply.header("X-Request-ID"), id) << reply.raw;
    EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), kPage) << reply.raw;
    EXPECT_NE(reply.header("Access-Control-Expose-Headers").find("X-Backend-Used"),
              std::string::npos);
}

}  // namespace ollama_proxy::front_end
