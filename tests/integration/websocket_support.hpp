#pragma once

#include "integration/relay_support.hpp"
#include "support/ws_client.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

/// What the tests of `/v1/stream/ws` share.
namespace ollama_proxy::support {

using Json = nlohmann::json;

inline std::string generate_line(std::string_view text) {
    return R"({"model":"test-model","response":")" + std::string(text) + "\",\"done\":false}\n";
}
inline const std::string kGenerateEnd =
    "{\"model\":\"test-model\",\"response\":\"\",\"done\":true,\"done_reason\":\"stop\","
    "\"prompt_eval_count\":5,\"eval_count\":2}\n";
inline constexpr std::string_view kNdjson = "application/x-ndjson";

/// Answers every request with these lines of /api/generate.
inline ScriptedBackend::Script generating(std::vector<std::string> lines) {
    return streaming(std::string(kNdjson), std::move(lines));
}
inline ScriptedBackend::Script two_tokens() {
    return generating({generate_line("Hel"), generate_line("lo"), kGenerateEnd});
}

inline Json ask(std::string_view id, std::string_view prompt = "hi") {
    return {{"request_id", id}, {"model", "test-model"}, {"prompt", prompt}};
}

/// The last message of a failed request.
inline void expect_failed(const Json& message, std::string_view id, std::string_view code) {
    EXPECT_EQ(message.at("code"), code) << message;
    EXPECT_EQ(message.at("done"), true);
    EXPECT_TRUE(message.at("error").is_string()) << message;
    if (id.empty()) {
        EXPECT_TRUE(message.at("request_id").is_null()) << message;
    } else {
        EXPECT_EQ(message.at("request_id"), id);
    }
}

}  // namespace ollama_proxy::support
