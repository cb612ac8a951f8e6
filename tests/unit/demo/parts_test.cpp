#include "demo/answer.hpp"
#include "demo/job.hpp"
#include "demo/model_store.hpp"
#include "demo/wall_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ollama_proxy::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Answer, HasExactlyTheTokensAskedFor) {
    const Answer answer = Answer::words("S", "p", 30, 0);
    ASSERT_EQ(answer.size(), 30);
    std::string joined;
    for (int i = 0; i < answer.size(); ++i) {
        EXPECT_FALSE(answer.piece(i).empty());
        joined += answer.piece(i);
    }
    EXPECT_EQ(joined, answer.text());
    EXPECT_FALSE(answer.cut_short());
    EXPECT_TRUE(Answer::words("S", "p", 30, 29).cut_short());
    EXPECT_FALSE(Answer::words("S", "p", 30, 31).cut_short());
}

TEST(Answer, NeverCutsACharacter) {
    const std::string text = "aäöü€😀ßß漢字漢字";
    const Answer answer = Answer::exact(text, 0);
    EXPECT_EQ(answer.text(), text);
    for (int i = 0; i < answer.size(); ++i) {
        EXPECT_NE(static_cast<unsigned char>(answer.piece(i)[0]) & 0xc0, 0x80) << i;
    }
    std::string long_prompt;
    for (int i = 0; i < 40; ++i) long_prompt += "€";
    EXPECT_THAT(Answer::words("S", long_prompt, 20, 0).text(), testing::HasSubstr("€\":"));
}

TEST(Embedding, IsAUnitVectorThatDependsOnTheText) {
    const std::vector<float> vector = embedding_of("text", 64);
    double squares = 0;
    for (const float value : vector) squares += static_cast<double>(value * value);
    EXPECT_NEAR(squares, 1, 1e-4);
    EXPECT_EQ(vector, embedding_of("text", 64));
    EXPECT_NE(vector, embedding_of("text2", 64));
}

TEST(Embedding, IsPackedLittleEndian) {
    EXPECT_EQ(base64_of({1.0F}), "AACAPw==");
    EXPECT_EQ(base64_of({1.0F, -2.0F}), "AACAPwAAAMA=");
    EXPECT_EQ(base64_of({1.0F, -2.0F, 0.5F}), "AACAPwAAAMAAAAA/");
}

TEST(KeepAlive, ReadsSecondsAndGoDurations) {
    const auto of = [](const Json& value) { return parse_keep_alive(&value); };
    EXPECT_EQ(parse_keep_alive(nullptr), minutes(5));
    EXPECT_EQ(of(0), seconds(0));
    EXPECT_EQ(of("0"), seconds(0));
    EXPECT_EQ(of(90), seconds(90));
    EXPECT_EQ(of("10m"), minutes(10));
    EXPECT_EQ(of("1h30m"), minutes(90));
    EXPECT_EQ(of("300ms"), milliseconds(300));
    EXPECT_EQ(of(-1), Clock::duration::max());
    EXPECT_EQ(of("-1m"), Clock::duration::max());
}

TEST(ModelStore, UnloadsWhenKeepAliveHasPassed) {
    ModelStore store({{"m", 600}}, WallTime{});
    const TimePoint start{};
    EXPECT_EQ(store.load("M:latest", start, seconds(2), seconds(10)), start + seconds(2));
    const auto running = [&](TimePoint now) {
        return store.running(now, WallTime{})["models"].size();
    };
    EXPECT_EQ(running(start + seconds(1)), 0U);  // still loading
    EXPECT_EQ(running(start + seconds(2)), 1U);
    EXPECT_EQ(running(start + seconds(12)), 0U);
    // Who comes while it loads waits for the same load; who comes when loaded does not wait.
    EXPECT_EQ(store.load("m", start + seconds(1), seconds(2), seconds(10)), start + seconds(2));
    EXPECT_EQ(store.load("m", start + seconds(5), seconds(2), seconds(10)), start + seconds(5));
    EXPECT_EQ(store.load("m", start + seconds(20), seconds(2), seconds(10)), start + seconds(22));
}

TEST(ModelStore, KeepsAModelForEver) {
    ModelStore store({{"m", 600}}, WallTime{});
    store.load("m", TimePoint{}, seconds(0), Clock::duration::max());
    const Json running = store.running(TimePoint{} + std::chrono::hours(10000), WallTime{});
    ASSERT_EQ(running["models"].size(), 1U);
    EXPECT_THAT(running["models"][0]["expires_at"].get<std::string>(), testing::StartsWith("20"));
}

TEST(StampWriter, WritesNanosecondsInUtc) {
    StampWriter stamps;
    const WallTime at{std::chrono::seconds(1735689600) + std::chrono::nanoseconds(42)};
    EXPECT_EQ(stamps.text(at), "2025-01-01T00:00:00.000000042Z");
    EXPECT_EQ(stamps.text(at + seconds(61)), "2025-01-01T00:01:01.000000042Z");
    EXPECT_EQ(http_date(at), "Wed, 01 Jan 2025 00:00:00 GMT");
}

}  // namespace
}  // namespace ollama_proxy::demo
