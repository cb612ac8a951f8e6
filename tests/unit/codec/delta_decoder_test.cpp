#include "ollama_proxy/codec/delta_decoder.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ollama_proxy::codec {
namespace {

struct Decoded {
    std::vector<Delta> deltas;
    AnswerSummary summary;
    std::optional<Error> error;

    [[nodiscard]] std::string text() const {
        std::string out;
        for (const Delta& delta : deltas) out += delta.text;
        return out;
    }
    [[nodiscard]] std::string thinking() const {
        std::string out;
        for (const Delta& delta : deltas) out += delta.thinking;
        return out;
    }
};

Decoded decode(Api api, const std::vector<std::string>& pieces) {
    DeltaDecoder decoder(api);
    Decoded out;
    bool good = true;
    for (const std::string& piece : pieces) good = good && decoder.feed(piece, out.deltas);
    good = good && decoder.finish(out.deltas);
    EXPECT_EQ(good, !decoder.error());
    out.summary = decoder.summary();
    out.error = decoder.error();
    return out;
}

Decoded decode(Api api, const std::string& text) {
    return decode(api, std::vector<std::string>{text});
}

void expect_same(const Decoded& got, const Decoded& want, std::size_t at) {
    EXPECT_EQ(got.deltas, want.deltas) << "cut at " << at;
    EXPECT_EQ(got.summary, want.summary) << "cut at " << at;
    ASSERT_EQ(got.error.has_value(), want.error.has_value()) << "cut at " << at;
    if (got.error) {
        EXPECT_EQ(got.error->message, want.error->message) << "cut at " << at;
    }
}

void expect_same_at_every_split(Api api, const std::string& text) {
    const Decoded whole = decode(api, text);
    std::vector<std::string> bytes;
    for (std::size_t at = 0; at <= text.size(); ++at) {
        expect_same(decode(api, {text.substr(0, at), text.substr(at)}), whole, at);
        if (at < text.size()) bytes.emplace_back(1, text[at]);
    }
    expect_same(decode(api, bytes), whole, std::string::npos);
}

std::string chat_stream(const std::string& eol) {
    const std::vector<std::string> events{
        R"({"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})",
        R"({"choices":[{"index":0,"delta":{"reasoning_content":"hm \u00e9"}}]})",
        R"({"choices":[{"index":0,"delta":{"content":"Hel"}}],"usage":null})",
        R"({"choices":[{"index":0,"delta":{"content":"lo \ud83d\ude00"}}]})",
        R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}}]})",
        R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})",
        R"({"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":4,"total_tokens":15}})"};
    std::string out = ": hello" + eol + eol;
    for (const std::string& event : events) out += "data: " + event + eol + eol;
    return out + "data: [DONE]" + eol + eol;
}

const std::string kGenerate =
    R"({"model":"m","response":"","thinking":"let me","done":false})"
    "\n"
    R"({"model":"m","response":"4","done":false})"
    "\n\n"
    R"({"model":"m","response":"2","done":false})"
    "\r\n"
    R"({"model":"m","response":"","done":true,"done_reason":"length","prompt_eval_count":7,"eval_count":2})"
    "\n";

TEST(DeltaDecoder, ReadsAChatStreamWithEveryLineEnd) {
    for (const char* eol : {"\n", "\r\n", "\r"}) {
        const Decoded got = decode(Api::chat_completions, chat_stream(eol));
        EXPECT_FALSE(got.error);
        EXPECT_EQ(got.text(), "Hello \xf0\x9f\x98\x80");
        EXPECT_EQ(got.thinking(), "hm \xc3\xa9");
        ASSERT_EQ(got.deltas.size(), 4U);
        EXPECT_EQ(got.deltas[3].tool_calls,
                  R"([{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}])");
        EXPECT_EQ(got.summary.finish_reason, "stop");
        EXPECT_EQ(got.summary.prompt_tokens, 11U);
        EXPECT_EQ(got.summary.tokens(), 4U);
        EXPECT_FALSE(got.summary.estimated());
        EXPECT_TRUE(got.summary.done);
    }
}

TEST(DeltaDecoder, ReadsTheSameAtEverySplit) {
    for (const char* eol : {"\n", "\r\n", "\r"}) {
        expect_same_at_every_split(Api::chat_completions, chat_stream(eol));
    }
    expect_same_at_every_split(Api::ollama_generate, kGenerate);
    expect_same_at_every_split(Api::chat_completions,
                               "event: error\ndata: {\"message\":\"no\"}\n\n");
    expect_same_at_every_split(Api::ollama_chat,
                               "{\"message\":{\"content\":\"a\"}}\nnonsense\n{}\n");
}

TEST(DeltaDecoder, ReadsGenerateOfOllama) {
    const Decoded got = decode(Api::ollama_generate, kGenerate);
    EXPECT_FALSE(got.error);
    EXPECT_EQ(got.text(), "42");
    EXPECT_EQ(got.thinking(), "let me");
    EXPECT_EQ(got.summary.finish_reason, "length");
    EXPECT_EQ(got.summary.prompt_tokens, 7U);
    EXPECT_EQ(got.summary.tokens(), 2U);
    EXPECT_TRUE(got.summary.done);
}

TEST(DeltaDecoder, ReadsChatOfOllamaWithItsWholeToolCalls) {
    const Decoded got = decode(
        Api::ollama_chat,
        R"({"message":{"role":"assistant","content":"","thinking":"x"},"done":false})"
        "\n"
        R"({"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":false})"
        "\n"
        R"({"message":{"content":"hi"},"done":true,"done_reason":"stop"})");
    EXPECT_FALSE(got.error);
    ASSERT_EQ(got.deltas.size(), 3U);
    EXPECT_EQ(got.deltas[0].thinking, "x");
    EXPECT_EQ(got.deltas[1].tool_calls, R"([{"function":{"name":"f","arguments":{"a":1}}}])");
    EXPECT_EQ(got.deltas[2].text, "hi") << "text of the last line counts too";
    EXPECT_TRUE(got.summary.estimated());
    EXPECT_EQ(got.summary.tokens(), 3U);
}

TEST(DeltaDecoder, ReadsTheTextOfLegacyCompletions) {
    const Decoded got =
        decode(Api::completions,
               "data:{\"choices\":[{\"text\":\"a\",\"index\":0}]}\n\n"
               "data: {\"choices\":[{\"text\":\"b\",\"finish_reason\":\"stop\"}]}\n\n"
               "data: [DONE]");
    EXPECT_EQ(got.text(), "ab");
    EXPECT_TRUE(got.summary.done) << "a missing last blank line is legal";
}

TEST(DeltaDecoder, JoinsTheLinesOfOneEvent) {
    const Decoded got = decode(Api::chat_completions,
                               "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"z\"}}]}\n\n");
    EXPECT_FALSE(got.error);
    EXPECT_EQ(got.text(), "z");
}

TEST(DeltaDecoder, TakesReasoningOnceWhenItComesUnderTwoNames) {
    const Decoded got = decode(
        Api::chat_completions,
        "data: {\"choices\":[{\"delta\":{\"reasoning\":\"r\",\"reasoning_content\":\"r\"}}]}\n\n");
    EXPECT_EQ(got.thinking(), "r");
}

TEST(DeltaDecoder, TakesARefusalForText) {
    const Decoded got =
        decode(Api::chat_completions,
               "data: {\"choices\":[{\"delta\":{\"content\":\"\",\"refusal\":\"no\"}}]}\n\n");
    EXPECT_EQ(got.text(), "no");
}

TEST(DeltaDecoder, EndsAtALineThatIsNoJsonObjectAndKeepsWhatCameBefore) {
    for (const char* bad : {"{\"response\":", "nonsense", "[1]", "\"text\"", "{} {}", "{'a':1}"}) {
        const Decoded got =
            decode(Api::ollama_generate, std::string("{\"response\":\"a\"}\n") + bad +
                                             "\n{\"response\":\"b\",\"done\":true}\n");
        ASSERT_TRUE(got.error) << bad;
        EXPECT_EQ(got.error->code, Errc::bad_gateway);
        EXPECT_EQ(got.text(), "a") << bad;
    }
}

TEST(DeltaDecoder, TurnsAnErrorInPlaceOfContentIntoAnError) {
    const Decoded ollama =
        decode(Api::ollama_generate, "{\"response\":\"a\"}\n{\"error\":\"out of memory\"}\n");
    ASSERT_TRUE(ollama.error);
    EXPECT_EQ(ollama.error->code, Errc::bad_gateway);
    EXPECT_NE(ollama.error->message.find("out of memory"), std::string::npos);
    const Decoded openai = decode(Api::chat_completions,
                                  "data: {\"error\":{\"message\":\"slow down\",\"code\":429}}\n\n");
    ASSERT_TRUE(openai.error);
    EXPECT_EQ(openai.error->code, Errc::rate_limited);
}

TEST(DeltaDecoder, IgnoresWhatComesBehindTheEnd) {
    const Decoded got = decode(Api::chat_completions, "data: [DONE]\n\ndata: nonsense\n\n");
    EXPECT_FALSE(got.error);
    EXPECT_TRUE(got.deltas.empty());
}

TEST(DeltaDecoder, HoldsAtMostOneMebibyteOfAnEvent) {
    const std::string half(DeltaDecoder::kMaxEvent / 2 + 1, 'x');
    for (const std::string& start : {std::string("{\"response\":\""), std::string("data: ")}) {
        const Api api = start[0] == '{' ? Api::ollama_generate : Api::chat_completions;
        DeltaDecoder decoder(api);
        std::vector<Delta> deltas;
        EXPECT_TRUE(decoder.feed(start + half, deltas));
        EXPECT_FALSE(decoder.feed(half, deltas));
        ASSERT_TRUE(decoder.error());
        EXPECT_EQ(decoder.error()->code, Errc::bad_gateway);
        EXPECT_FALSE(decoder.feed("{}\n", deltas)) << "an error is final";
    }
    // many short lines of one event are an event too
    DeltaDecoder decoder(Api::chat_completions);
    std::vector<Delta> deltas;
    bool good = true;
    for (int i = 0; i < 1100 && good; ++i) {
        good = decoder.feed("data: " + std::string(1000, 'x') + "\n", deltas);
    }
    EXPECT_FALSE(good);
}

TEST(DeltaDecoder, GivesValidUtf8Only) {
    const Decoded got = decode(Api::ollama_generate, "{\"response\":\"a\xff\xc3z\"}\n");
    EXPECT_EQ(got.text(), "a\xef\xbf\xbd\xef\xbf\xbdz");
    EXPECT_EQ(decode(Api::ollama_generate, "{\"response\":\"\\ud800!\"}\n").text(),
              "\xef\xbf\xbd!");
}

TEST(DeltaDecoder, ReadsAWholeAnswerOfABackendThatDidNotStream) {
    DeltaDecoder chat(Api::chat_completions);
    std::vector<Delta> deltas;
    ASSERT_TRUE(chat.read_whole(
        R"({"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],)"
        R"("usage":{"prompt_tokens":1,"completion_tokens":2}})",
        deltas));
    ASSERT_EQ(deltas.size(), 1U);
    EXPECT_EQ(deltas[0].text, "hi");
    EXPECT_EQ(chat.summary().finish_reason, "stop");
    EXPECT_EQ(chat.summary().tokens(), 2U);
    DeltaDecoder broken(Api::chat_completions);
    EXPECT_FALSE(broken.read_whole("<html>", deltas));
}

TEST(BackendError, KeepsWhatTheClientCanMend) {
    EXPECT_EQ(backend_error_of(400, R"({"error":{"message":"bad temperature"}})").code,
              Errc::invalid_request);
    const Error missing = backend_error_of(404, R"({"error":"model 'x' not found"})");
    EXPECT_EQ(missing.code, Errc::model_not_found);
    EXPECT_EQ(missing.message, "the backend reported: model 'x' not found");
    EXPECT_EQ(backend_error_of(429, "{}").code, Errc::rate_limited);
    EXPECT_EQ(backend_error_of(503, "busy").code, Errc::no_available_backends);
    EXPECT_EQ(backend_error_of(504, "").code, Errc::upstream_timeout);
    EXPECT_EQ(backend_error_of(401, "{}").code, Errc::bad_gateway)
        << "the backend's own key is no matter of the client";
    EXPECT_EQ(backend_error_of(500, "<html>").message, "the backend reported: status 500");
}

}  // namespace
}  // namespace ollama_proxy::codec
