#include "ollama_proxy/codec/stream_watcher.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ollama_proxy::codec {
namespace {

using D = StreamDialect;

struct Watched {
    AnswerFacts facts;
    std::string out;  ///< with what finish() gave
    std::string separator;
    bool complete = false;
    bool at_boundary = true;
};

/// Feeds the pieces and checks on the way that no byte is lost, doubled or moved.
Watched watch(D dialect, const std::vector<std::string>& pieces) {
    StreamWatcher watcher(dialect);
    Watched result;
    for (const std::string& piece : pieces) {
        const StreamWatcher::Release release = watcher.feed(piece);
        result.out += release.held;
        result.out += release.fresh;
    }
    result.out += watcher.finish();
    result.facts = watcher.facts();
    result.separator = watcher.separator();
    result.complete = watcher.complete();
    result.at_boundary = watcher.at_boundary();
    return result;
}

Watched watch(D dialect, const std::string& text) {
    return watch(dialect, std::vector<std::string>{text});
}

void expect_same(const Watched& got, const Watched& want, const std::string& where) {
    EXPECT_EQ(got.out, want.out) << where;
    EXPECT_EQ(got.separator, want.separator) << where;
    EXPECT_EQ(got.at_boundary, want.at_boundary) << where;
    EXPECT_EQ(got.facts.done_marker, want.facts.done_marker) << where;
    EXPECT_EQ(got.facts.finished, want.facts.finished) << where;
    EXPECT_EQ(got.facts.error, want.facts.error) << where;
    EXPECT_EQ(got.facts.first_is_error, want.facts.first_is_error) << where;
    EXPECT_EQ(got.facts.error_message, want.facts.error_message) << where;
    EXPECT_EQ(got.facts.error_status, want.facts.error_status) << where;
    EXPECT_EQ(got.facts.content_events, want.facts.content_events) << where;
    EXPECT_EQ(got.facts.prompt_tokens, want.facts.prompt_tokens) << where;
    EXPECT_EQ(got.facts.completion_tokens, want.facts.completion_tokens) << where;
    EXPECT_EQ(got.facts.load_ms, want.facts.load_ms) << where;
    EXPECT_EQ(got.facts.eval_ms, want.facts.eval_ms) << where;
    EXPECT_EQ(got.facts.blind, want.facts.blind) << where;
}

std::string chunk(const std::string& text, const char* finish = "null") {
    return R"({"id":"c","choices":[{"index":0,"delta":{"content":")" + text +
           R"("},"finish_reason":)" + finish + R"(}],"usage":null})";
}

const std::string kUsage =
    R"({"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}})";

std::string chat_stream(const std::string& eol) {
    return ": hello" + eol + eol + "data: " + chunk("") + eol + eol +
           "data: " + chunk("caf\xc3\xa9") + eol + eol + "event: x" + eol +
           "data:" + chunk("\xf0\x9f\x98\x80 \\u0041") + eol + eol +
           "data: {\"choices\":[{\"delta\":" + eol + "data: {\"content\":\"z\"}," + eol +
           "data: \"finish_reason\":\"stop\"}]}" + eol + "id: 7" + eol + eol + eol +
           "data: " + kUsage + eol + eol + "data: [DONE]" + eol + eol;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
    return text;
}

std::string messages_stream(const std::string& eol) {
    const std::string start = R"({"type":"message_start","message":{"content":[],)"
                              R"("usage":{"input_tokens":9,"output_tokens":1}}})";
    const std::string delta =
        R"({"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}})";
    const std::string last =
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}})";
    return "event: message_start" + eol + "data: " + start + eol + eol +
           "event: content_block_delta" + eol + "data: " + delta + eol + eol + "data: " + last +
           eol + eol + R"(data: {"type":"message_stop"})" + eol + eol;
}

std::string responses_stream(const std::string& eol) {
    const std::string last = R"({"type":"response.completed","response":{"error":null,)"
                             R"("usage":{"input_tokens":4,"output_tokens":2}}})";
    return "event: response.output_text.delta" + eol +
           R"(data: {"type":"response.output_text.delta","delta":"Hi"})" + eol + eol +
           "data: " + last + eol + eol;
}

const std::string kLines =
    "{\"model\":\"a\",\"message\":{\"role\":\"assistant\",\"content\":\"H\xc3\xa9\"},\"done\":"
    "false}\n"
    "\n{\"response\":\"x\",\"done\":false}\r\n{\"response\":\"\",\"thinking\":\"t\",\"done\":false}"
    "\n"
    "{\"response\":\"\",\"done\":true,\"done_reason\":\"stop\",\"load_duration\":1500000,"
    "\"prompt_eval_count\":26,\"eval_count\":3,\"eval_duration\":2500000}\n";

struct Stream {
    D dialect;
    std::string text;
};

std::vector<Stream> streams() {
    std::vector<Stream> rows;
    for (const std::string eol : {"\n", "\r\n", "\r"}) {
        const std::string text = chat_stream(eol);
        const std::string to_done = text.substr(0, text.rfind(']') + 1);
        rows.push_back({D::openai, text});
        rows.push_back({D::openai, "\xef\xbb\xbf" + text.substr(text.find("data"))});
        rows.push_back({D::openai, to_done + eol});  // a missing last blank line
        rows.push_back({D::openai, to_done});        // a missing last line end
        rows.push_back({D::openai, to_done.substr(0, to_done.size() - 1)});
        rows.push_back({D::openai, R"(data: {"error":{"message":"boom","code":503}})" + eol + eol});
        rows.push_back({D::anthropic, messages_stream(eol)});
        rows.push_back(
            {D::anthropic, "event: error" + eol +
                               R"(data: {"type":"error","error":{"type":"x","message":"busy"}})" +
                               eol + eol});
        rows.push_back({D::responses, responses_stream(eol)});
    }
    rows.push_back({D::ollama, kLines});
    rows.push_back({D::ollama, kLines.substr(0, kLines.size() - 1)});
    rows.push_back({D::ollama, kLines.substr(0, kLines.size() - 2)});
    rows.push_back({D::ollama, "{\"error\":\"model not found\"}\n"});
    rows.push_back({D::ollama, "not json\n[1]\n" + kLines});
    return rows;
}

TEST(StreamWatcher, LearnsTheSameAtEverySplit) {
    for (const Stream& row : streams()) {
        const Watched want = watch(row.dialect, row.text);
        EXPECT_EQ(want.out, row.text);
        std::vector<std::string> bytes;
        for (const char c : row.text) bytes.emplace_back(1, c);
        expect_same(watch(row.dialect, bytes), want, "byte by byte: " + row.text);
        for (std::size_t at = 0; at <= row.text.size(); ++at) {
            expect_same(watch(row.dialect, {row.text.substr(0, at), row.text.substr(at)}), want,
                        "at " + std::to_string(at) + ": " + row.text);
            if (testing::Test::HasFailure()) return;
        }
    }
}

TEST(StreamWatcher, ReleasesOnlyWholeEventsAndHoldsTheTail) {
    for (const Stream& row : streams()) {
        StreamWatcher whole(row.dialect);
        std::string released;
        for (std::size_t i = 0; i < row.text.size(); ++i) {
            const auto release = whole.feed(std::string_view(row.text).substr(i, 1));
            released += release.held;
            released += release.fresh;
            if (release.empty()) continue;
            EXPECT_EQ(released.size(), i + 1);
            const char last = released.back();
            EXPECT_TRUE(last == '\n' || last == '\r') << row.text;
        }
    }
}

TEST(StreamWatcher, ReadsAChatStream) {
    for (const char* eol : {"\n", "\r\n", "\r"}) {
        const Watched got = watch(D::openai, chat_stream(eol));
        EXPECT_TRUE(got.facts.done_marker);
        EXPECT_TRUE(got.facts.finished);
        EXPECT_FALSE(got.facts.error);
        EXPECT_TRUE(got.complete);
        EXPECT_EQ(got.facts.content_events, 3U);
        EXPECT_EQ(got.facts.prompt_tokens, 11U);
        EXPECT_EQ(got.facts.completion_tokens, 3U);
        EXPECT_EQ(got.separator, "");
    }
}

TEST(StreamWatcher, CountsEveryKindOfText) {
    const auto count = [](D dialect, const std::string& json) {
        const bool sse = dialect != D::ollama;
        return watch(dialect, (sse ? "data: " : "") + json + (sse ? "\n\n" : "\n"))
            .facts.content_events;
    };
    const auto delta = [&](const std::string& member) {
        return count(D::openai, R"({"choices":[{"delta":{)" + member + "}}]}");
    };
    EXPECT_EQ(delta(R"("content":"x")"), 1U);
    EXPECT_EQ(delta(R"("reasoning_content":"x")"), 1U);
    EXPECT_EQ(delta(R"("tool_calls":[{"function":{"arguments":"{"}}])"), 1U);
    EXPECT_EQ(delta(R"("content":"","role":"assistant")"), 0U);
    EXPECT_EQ(delta(R"("content":null)"), 0U);
    EXPECT_EQ(count(D::openai, R"({"choices":[{"text":"x"}]})"), 1U);
    EXPECT_EQ(count(D::openai, R"({"choices":[{"text":""}]})"), 0U);
    EXPECT_EQ(count(D::ollama, R"({"message":{"content":"x"}})"), 1U);
    EXPECT_EQ(count(D::ollama, R"({"message":{"content":"","thinking":"x"}})"), 1U);
    EXPECT_EQ(count(D::ollama, R"({"response":"x"})"), 1U);
    EXPECT_EQ(count(D::ollama, R"({"response":""})"), 0U);
    EXPECT_EQ(count(D::ollama, R"({"thinking":"x","response":""})"), 1U);
    EXPECT_EQ(count(D::anthropic, R"({"type":"content_block_delta","delta":{"thinking":"x"}})"),
              1U);
    EXPECT_EQ(count(D::anthropic, R"({"type":"content_block_delta","delta":{"partial_json":"{"}})"),
              1U);
    EXPECT_EQ(count(D::responses, R"({"type":"response.output_text.done","text":"all"})"), 0U);
}

TEST(StreamWatcher, SeesTheEndOfEachDialect) {
    const auto ended = [](D dialect, const std::string& json) {
        return watch(dialect, "data: " + json + "\n\n").complete;
    };
    EXPECT_TRUE(ended(D::openai, chunk("", "\"length\"")));
    EXPECT_FALSE(ended(D::openai, chunk("finish_reason")));
    EXPECT_TRUE(ended(D::openai, "[DONE]"));
    EXPECT_FALSE(ended(D::openai, R"({"type":"message_stop","done":true})"));
    EXPECT_TRUE(ended(D::responses, R"({"type":"response.completed","response":{}})"));
    EXPECT_TRUE(ended(D::responses, R"({"type":"response.incomplete","response":{}})"));
    EXPECT_FALSE(ended(D::responses, R"({"type":"response.created","response":{"error":null}})"));
    EXPECT_TRUE(ended(D::anthropic, R"({"type":"message_stop"})"));
    EXPECT_FALSE(ended(D::anthropic, R"({"type":"message_delta","delta":{"stop_reason":"x"}})"));
    EXPECT_TRUE(watch(D::ollama, "{\"done\":true}\n").complete);
    EXPECT_FALSE(watch(D::ollama, "{\"done\":false}\n").complete);
    EXPECT_FALSE(watch(D::ollama, "").complete);
}

TEST(StreamWatcher, ReadsOllamasDurations) {
    const AnswerFacts facts = watch(D::ollama, kLines).facts;
    EXPECT_TRUE(facts.finished);
    EXPECT_EQ(facts.content_events, 3U);
    EXPECT_EQ(facts.prompt_tokens, 26U);
    EXPECT_EQ(facts.completion_tokens, 3U);
    EXPECT_EQ(facts.load_ms, 1.5);
    EXPECT_EQ(facts.eval_ms, 2.5);
}

TEST(StreamWatcher, ReadsUsageOfTheOtherDialects) {
    const AnswerFacts messages = watch(D::anthropic, messages_stream("\n")).facts;
    EXPECT_EQ(messages.prompt_tokens, 9U);
    EXPECT_EQ(messages.completion_tokens, 5U);
    EXPECT_EQ(messages.content_events, 1U);
    EXPECT_TRUE(messages.finished);
    const AnswerFacts responses = watch(D::responses, responses_stream("\n")).facts;
    EXPECT_EQ(responses.prompt_tokens, 4U);
    EXPECT_EQ(responses.completion_tokens, 2U);
}

TEST(StreamWatcher, NotesAnErrorInPlaceOfAnAnswer) {
    struct Row {
        D dialect;
        std::string text;
        std::string message;
        int status;
    };
    const std::vector<Row> rows = {
        {D::openai, "data: {\"error\":{\"message\":\"boom\",\"code\":503}}\n\n", "boom", 503},
        {D::openai, "data: {\"error\":{\"message\":\"b\",\"code\":\"429\"}}\n\n", "b", 429},
        {D::openai, "data: {\"error\":{\"message\":\"b\",\"code\":\"x\",\"status\":500}}\n\n", "b",
         500},
        {D::openai, "data: {\"error\":{\"message\":\"b\",\"code\":200}}\n\n", "b", 0},
        {D::openai, "data: {\"error\":\"\\u0062\"}\n\n", "b", 0},
        {D::openai, "data: {\"error\":{}}\n\n", "{}", 0},
        {D::openai, "data: {\"object\":\"error\",\"message\":\"b\",\"code\":404}\n\n", "b", 404},
        {D::openai, "event: error\ndata: {\"message\":\"b\"}\n\n", "b", 0},
        {D::openai, "event: error\ndata: plain\n\n", "plain", 0},
        {D::anthropic, "data: {\"type\":\"error\",\"error\":{\"message\":\"b\"}}\n\n", "b", 0},
        {D::responses, "data: {\"type\":\"error\",\"code\":\"x\",\"message\":\"b\"}\n\n", "b", 0},
        {D::responses,
         "data: {\"response\":{\"error\":{\"message\":\"b\"}},\"type\":\"response.failed\"}\n\n",
         "b", 0},
        {D::responses, "data: {\"type\":\"response.failed\",\"response\":{}}\n\n", "", 0},
        {D::ollama, "{\"error\":\"b\",\"status\":404}\n", "b", 404},
    };
    for (const Row& row : rows) {
        const Watched got = watch(row.dialect, row.text);
        EXPECT_TRUE(got.facts.error) << row.text;
        EXPECT_TRUE(got.facts.first_is_error) << row.text;
        EXPECT_EQ(got.facts.error_message, row.message) << row.text;
        EXPECT_EQ(got.facts.error_status, row.status) << row.text;
        EXPECT_FALSE(got.complete) << row.text;
    }
}

TEST(StreamWatcher, TakesNoErrorFromWhatIsNone) {
    for (const char* json : {R"({"error":null})", R"({"error":""})", R"({"error":false})",
                             R"({"choices":[{"delta":{"content":"{\"error\":\"x\"}"}}]})",
                             R"({"choices":[{"error":{"message":"inner"}}]})"}) {
        EXPECT_FALSE(watch(D::openai, std::string("data: ") + json + "\n\n").facts.error) << json;
    }
    EXPECT_FALSE(watch(D::openai, ": {\"error\":\"comment\"}\n\n").facts.error);
    EXPECT_FALSE(watch(D::openai, "event: errors\ndata: {}\n\n").facts.error);
}

TEST(StreamWatcher, TellsALateErrorFromAFirstOne) {
    const Watched got = watch(D::openai, "data: " + chunk("x") + "\n\ndata: {\"error\":\"a\"}\n\n" +
                                             "data: {\"error\":\"b\"}\n\ndata: [DONE]\n\n");
    EXPECT_TRUE(got.facts.error);
    EXPECT_FALSE(got.facts.first_is_error);
    EXPECT_EQ(got.facts.error_message, "a");
    EXPECT_FALSE(got.complete);
}

TEST(StreamWatcher, CutsALongErrorMessageBetweenCharacters) {
    std::string text = "x";
    for (int i = 0; i < 400; ++i) text += "\xc3\xa9";
    const std::string got = watch(D::ollama, "{\"error\":\"" + text + "\"}\n").facts.error_message;
    EXPECT_EQ(got, text.substr(0, 511));
}

TEST(StreamWatcher, HidesNoHalfEventBehindABrokenTransport) {
    StreamWatcher watcher(D::openai);
    const std::string text = "data: " + chunk("x") + "\n\ndata: " + chunk("y", "\"stop\"");
    const auto release = watcher.feed(text);
    EXPECT_EQ(release.fresh, "data: " + chunk("x") + "\n\n");
    EXPECT_FALSE(watcher.complete());
    EXPECT_TRUE(watcher.at_boundary());
}

TEST(StreamWatcher, CountsNoEventThatWasCutInItsMiddle) {
    const Watched got = watch(D::openai, R"(data: {"choices":[{"finish_reason":"stop"})");
    EXPECT_FALSE(got.complete);
    EXPECT_EQ(got.facts.content_events, 0U);
    EXPECT_EQ(got.separator, "\n\n");
}

TEST(StreamWatcher, SaysWhichLineEndsAreMissing) {
    EXPECT_EQ(watch(D::openai, "").separator, "");
    EXPECT_EQ(watch(D::openai, "data: [DONE]\n\n").separator, "");
    EXPECT_EQ(watch(D::openai, "data: [DONE]\r\n\r").separator, "");
    EXPECT_EQ(watch(D::openai, "data: [DONE]\n").separator, "\n");
    EXPECT_EQ(watch(D::openai, "data: [DONE]\r").separator, "\n");
    EXPECT_EQ(watch(D::openai, "data: [DONE]").separator, "\n\n");
    EXPECT_EQ(watch(D::ollama, "{}").separator, "\n");
    EXPECT_EQ(watch(D::ollama, "{}\n").separator, "");
}

TEST(StreamWatcher, LetsALongEventGoOnInPieces) {
    const std::string event = "data: " + chunk(std::string(200'000, 'x'), "\"stop\"") + "\n\n";
    for (const std::size_t step : {1000UL, 65536UL, 70000UL, 150000UL}) {
        StreamWatcher watcher(D::openai);
        std::string out;
        bool was_mid = false;
        for (std::size_t at = 0; at < event.size(); at += step) {
            const std::string piece = event.substr(at, step);
            const auto release = watcher.feed(piece);
            out += release.held;
            out += release.fresh;
            EXPECT_LE(at + piece.size() - out.size(), 65536U);
            was_mid = was_mid || !watcher.at_boundary();
        }
        EXPECT_EQ(out, event);
        EXPECT_TRUE(was_mid);
        EXPECT_TRUE(watcher.at_boundary());
        EXPECT_FALSE(watcher.facts().blind);
        EXPECT_TRUE(watcher.facts().finished);
        EXPECT_EQ(watcher.facts().content_events, 1U);
    }
}

TEST(StreamWatcher, GoesBlindOnAnEventOverOneMebibyteAndRecovers) {
    const std::string big = chunk(std::string(1'100'000, 'x'), "\"stop\"");
    for (const std::size_t step : {10'000UL, 2'000'000UL}) {
        for (const D dialect : {D::openai, D::ollama}) {
            const bool sse = dialect == D::openai;
            const std::string text = (sse ? "data: " + big + "\n\n" : big + "\n") +
                                     (sse ? "data: [DONE]\n\n" : "{\"done\":true}\n");
            std::vector<std::string> pieces;
            for (std::size_t at = 0; at < text.size(); at += step) {
                pieces.push_back(text.substr(at, step));
            }
            const Watched got = watch(dialect, pieces);
            EXPECT_EQ(got.out, text);
            EXPECT_TRUE(got.facts.blind);
            EXPECT_EQ(got.facts.content_events, 0U);
            EXPECT_EQ(got.facts.finished, !sse);
            EXPECT_TRUE(got.complete);
            EXPECT_TRUE(got.at_boundary);
        }
    }
}

TEST(StreamWatcher, LeavesABrokenLongEventAsAPlainCut) {
    const std::string cut = "data: " + chunk(std::string(100'000, 'x')).substr(0, 90'000);
    EXPECT_FALSE(watch(D::openai, cut).at_boundary);
    const Watched whole = watch(D::openai, "data: " + chunk(std::string(100'000, 'x')));
    EXPECT_TRUE(whole.at_boundary);
    EXPECT_EQ(whole.facts.content_events, 1U);
    EXPECT_EQ(whole.separator, "\n\n");
}

TEST(StreamWatcher, ReleasesFromThePlaceWhereTheBytesCame) {
    StreamWatcher watcher(D::openai);
    const std::string text = "data: " + chunk("x") + "\n\n";
    const auto release = watcher.feed(text);
    EXPECT_EQ(release.fresh.data(), text.data());
    EXPECT_EQ(release.fresh.size(), text.size());
    EXPECT_TRUE(release.held.empty());
}

TEST(StreamWatcher, PassesWhatIsNoJsonThrough) {
    const std::string text = replaced(chat_stream("\n"), chunk("caf\xc3\xa9"), "{broken");
    const Watched got = watch(D::openai, text);
    EXPECT_EQ(got.out, text);
    EXPECT_EQ(got.facts.content_events, 2U);
    EXPECT_TRUE(got.complete);
}

TEST(StreamDialectOf, FollowsTheApi) {
    EXPECT_EQ(stream_dialect_of(Api::chat_completions), D::openai);
    EXPECT_EQ(stream_dialect_of(Api::responses), D::responses);
    EXPECT_EQ(stream_dialect_of(Api::messages), D::anthropic);
    EXPECT_EQ(stream_dialect_of(Api::ollama_generate), D::ollama);
    EXPECT_TRUE(is_sse(D::anthropic));
    EXPECT_FALSE(is_sse(D::ollama));
}

}  // namespace
}  // namespace ollama_proxy::codec
