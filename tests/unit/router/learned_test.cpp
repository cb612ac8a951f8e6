#include "router/learned.hpp"

#include "router/learned_json.hpp"
#include "router/measurement.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ollama_proxy::router {
namespace {

using std::chrono::hours;

constexpr TimePoint kNow{hours(1000)};

LearnedBackend backend(int* wakes = nullptr) {
    return {{"http://a", {}, {}}, std::make_shared<ChangeSignal>([wakes] {
                if (wakes != nullptr) ++*wakes;
            })};
}

Observation warm(double ms) {
    Observation out;
    out.warm_ms = ms;
    return out;
}

TEST(Learned, AModelThatWasNeverSeenHasTheConfiguredLatency) {
    LearnedBackend learned = backend();
    learned.add("other", warm(5), kNow);
    EXPECT_EQ(learned.estimate("m", false, 400, kNow).latency_ms, 400);
    EXPECT_EQ(learned.estimate("m", true, 400, kNow).latency_ms, 400);
    EXPECT_EQ(learned.estimate("m", false, 0, kNow).latency_ms, 0) << "not known stays not known";
}

TEST(Learned, EstimatesConvergeToWhatIsMeasured) {
    LearnedBackend learned = backend();
    for (int i = 0; i < 100; ++i) learned.add("m", warm(90), kNow);
    EXPECT_NEAR(learned.estimate("m", false, 400, kNow).latency_ms, 90, 5);
    EXPECT_NEAR(learned.estimate("m", false, 0, kNow).latency_ms, 90, 0.1)
        << "without a configured value what is measured stands alone";
}

TEST(Learned, AColdModelTakesItsLoadTimeInAddition) {
    LearnedBackend learned = backend();
    Observation loading;
    loading.load_ms = 3000;
    learned.add("m", loading, kNow);
    const auto estimate = learned.estimate("m", true, 400, kNow);
    EXPECT_NEAR(estimate.latency_ms, 3400, 1);
    EXPECT_EQ(estimate.load_ms, 3000);
    EXPECT_NEAR(learned.estimate("m", false, 400, kNow).latency_ms, 400, 1);
}

TEST(Learned, WhatAColdModelTookOutweighsTheSumGradually) {
    LearnedBackend learned = backend();
    Observation cold;
    cold.cold_ms = 8000;
    learned.add("m", cold, kNow);
    const double once = learned.estimate("m", true, 400, kNow).latency_ms;
    EXPECT_GT(once, 400);
    EXPECT_LT(once, 8000);
    for (int i = 0; i < 40; ++i) learned.add("m", cold, kNow);
    EXPECT_NEAR(learned.estimate("m", true, 400, kNow).latency_ms, 8000, 200);
}

TEST(Learned, ErrorsOfAModelAreThatModelsAlone) {
    LearnedBackend learned = backend();
    Observation failed;
    failed.failed = true;
    for (int i = 0; i < 50; ++i) learned.add("bad", failed, kNow);
    EXPECT_GT(learned.estimate("bad", false, 400, kNow).error_share, 0.8);
    EXPECT_EQ(learned.estimate("good", false, 400, kNow).error_share, 0);
    EXPECT_LT(learned.estimate("bad", false, 400, kNow + hours(1)).error_share, 0.01);
}

TEST(Learned, NonsenseIsNotLearned) {
    LearnedBackend learned = backend();
    learned.add("m", warm(-1), kNow);
    learned.add("m", warm(std::nan("")), kNow);
    EXPECT_EQ(learned.estimate("m", false, 400, kNow).latency_ms, 400);
}

TEST(Learned, TheModelThatWasNotUsedLongestGivesWay) {
    LearnedBackend learned = backend();
    for (std::size_t i = 0; i < LearnedBackend::kMaxModels + 10; ++i) {
        learned.add("m" + std::to_string(i), warm(1), kNow + hours(i));
        learned.add("kept", warm(1), kNow + hours(i));
    }
    const LearnedState state = learned.state();
    EXPECT_EQ(state.models.size(), LearnedBackend::kMaxModels);
    EXPECT_TRUE(state.models.contains("kept"));
    EXPECT_FALSE(state.models.contains("m0"));
}

TEST(Learned, TheSummaryIsOverAllModels) {
    LearnedBackend learned = backend();
    EXPECT_EQ(learned.summary(400, 0).latency_ms, 400);
    EXPECT_FALSE(learned.summary(400, 0).ttft_ms);
    EXPECT_FALSE(learned.summary(400, 0).joules_per_token);
    Observation seen = warm(100);
    seen.tokens_per_second = 50;
    seen.joules_per_token = 2;
    learned.add("m", seen, kNow);
    seen.tokens_per_second = 100;
    seen.joules_per_token = 4;
    learned.add("n", seen, kNow);
    EXPECT_EQ(learned.summary(400, 0).ttft_ms, 100);
    EXPECT_NEAR(*learned.summary(400, 0).tokens_per_second, 75, 2);
    EXPECT_NEAR(*learned.summary(400, 0).joules_per_token, 3, 0.1);
    EXPECT_EQ(learned.state().models.at("n").joules_per_token.measured(), 4);
}

TEST(Learned, AConfiguredSpeedCountsAsFiveMeasurements) {
    LearnedBackend learned = backend();
    EXPECT_FALSE(learned.summary(400, 0).tokens_per_second);
    EXPECT_EQ(learned.summary(400, 10).tokens_per_second, 10);
    Observation seen;
    seen.tokens_per_second = 70;
    learned.add("m", seen, kNow);
    EXPECT_NEAR(*learned.summary(400, 10).tokens_per_second, 20, 1);
    for (int i = 0; i < 200; ++i) learned.add("m", seen, kNow);
    EXPECT_NEAR(*learned.summary(400, 10).tokens_per_second, 70, 1);
}

TEST(Learned, TheFirstChangeWakesWhoeverSavesAndTheNextDoNot) {
    int wakes = 0;
    auto signal = std::make_shared<ChangeSignal>([&] { ++wakes; });
    LearnedBackend learned({"http://a", {}, {}}, signal);
    learned.add("m", warm(1), kNow);
    learned.add("m", warm(1), kNow);
    EXPECT_EQ(wakes, 1);
    EXPECT_TRUE(signal->take());
    EXPECT_FALSE(signal->take());
    learned.add("m", warm(1), kNow);
    EXPECT_EQ(wakes, 2);
}

TEST(HeadTimeout, GrowsWithTheLoadTimeWithinTheLimitOfAWholeReply) {
    using std::chrono::seconds;
    EXPECT_EQ(head_timeout(seconds(120), seconds(600), std::nullopt), seconds(120));
    EXPECT_EQ(head_timeout(seconds(120), seconds(600), 40000.0), seconds(200));
    EXPECT_EQ(head_timeout(seconds(120), seconds(600), 1e9), seconds(600));
    EXPECT_EQ(head_timeout(seconds(120), seconds(60), 40000.0), seconds(120)) << "never shorter";
}

TEST(LearnedJson, ComesBackAsItWas) {
    LearnedBackend learned = backend();
    Observation seen = warm(123.25);
    seen.tokens_per_second = 40;
    seen.joules_per_token = 1.5;
    seen.failed = true;
    learned.add("qwen:\"7b\"", seen, kNow - hours(3));
    const std::string text = learned_to_json({{"a", learned.state()}}, kNow, 1000);
    // another boot: the steady clock began anew, and an hour has passed
    const TimePoint later{hours(1)};
    const auto states = learned_from_json(text, later, 1000 + 3600);
    ASSERT_TRUE(states);
    const LearnedState& state = states->at("a");
    EXPECT_EQ(state.endpoint, "http://a");
    const LearnedModel& model = state.models.at("qwen:\"7b\"");
    EXPECT_DOUBLE_EQ(model.warm_ms.mean, 123.25);
    EXPECT_EQ(model.tokens_per_second.measured(), 40);
    EXPECT_EQ(model.joules_per_token.measured(), 1.5);
    EXPECT_FALSE(model.cold_ms.measured());
    EXPECT_EQ(model.warm_ms.last, later - hours(4));
    EXPECT_DOUBLE_EQ(model.latency_ms(false, 400),
                     learned.estimate("qwen:\"7b\"", false, 400, kNow).latency_ms);
    EXPECT_EQ(state.all.warm_ms.measured(), 123.25);
}

TEST(LearnedJson, AWallClockThatWentBackIsNoTime) {
    LearnedBackend learned = backend();
    learned.add("m", warm(1), kNow);
    const auto states =
        learned_from_json(learned_to_json({{"a", learned.state()}}, kNow, 1000), kNow, 10);
    ASSERT_TRUE(states);
    EXPECT_EQ(states->at("a").models.at("m").warm_ms.last, kNow);
}

TEST(LearnedJson, WhatIsNotOursIsRefusedWhole) {
    LearnedBackend learned = backend();
    learned.add("m", warm(77), kNow);
    const std::string good = learned_to_json({{"a", learned.state()}}, kNow, 1000);
    ASSERT_TRUE(learned_from_json(good, kNow, 1000));
    const auto changed = [&](std::string_view from, std::string_view to) {
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        return learned_from_json(text, kNow, 1000).has_value();
    };
    EXPECT_FALSE(changed("\"version\": 1", "\"version\": 2"));
    EXPECT_FALSE(changed("77.0", "-77.0"));
    EXPECT_FALSE(changed("77.0", "\"77\""));
    EXPECT_FALSE(changed("77.0", "1e300"));
    EXPECT_FALSE(changed("\"models\": {", "\"modelle\": {"));
    for (std::size_t cut = 0; cut + 2 < good.size(); cut += 7) {
        EXPECT_FALSE(learned_from_json(good.substr(0, cut), kNow, 1000)) << cut;
    }
    for (const char* text : {"", "[]", "{}", "null", "{\"version\":1}", "\xff"}) {
        EXPECT_FALSE(learned_from_json(text, kNow, 1000)) << text;
    }
}

codec::AnswerFacts facts_with(std::uint64_t events) {
    codec::AnswerFacts facts;
    facts.content_events = events;
    return facts;
}

TEST(Observations, AStreamTellsItsFirstTokenAndItsSpeed) {
    const Observation seen = observation_of(facts_with(11), {100, 1100, false, true});
    EXPECT_EQ(seen.warm_ms, 100);
    EXPECT_FALSE(seen.cold_ms);
    EXPECT_NEAR(*seen.tokens_per_second, 10, 1e-9) << "ten tokens in the second after the first";
}

TEST(Observations, AStreamThatWasLeftTellsItsFirstTokenAlone) {
    const Observation seen = observation_of(facts_with(11), {100, 1100, true, false});
    EXPECT_EQ(seen.cold_ms, 100);
    EXPECT_FALSE(seen.tokens_per_second);
}

TEST(Observations, TheBackendsWordOnLoadingGoesFirst) {
    codec::AnswerFacts facts = facts_with(2);
    facts.load_ms = 12;
    EXPECT_EQ(observation_of(facts, {100, 200, true, true}).warm_ms, 100)
        << "the catalog was older than the model's loading";
    facts.load_ms = 2500;
    const Observation loaded = observation_of(facts, {2600, 2700, false, true});
    EXPECT_EQ(loaded.cold_ms, 2600);
    EXPECT_EQ(loaded.load_ms, 2500);
}

TEST(Observations, TheBackendsOwnMeasureOfSpeedGoesFirst) {
    codec::AnswerFacts facts = facts_with(3);
    facts.completion_tokens = 50;
    facts.eval_ms = 500;
    EXPECT_EQ(observation_of(facts, {100, 9000, false, true}).tokens_per_second, 100);
    EXPECT_EQ(observation_of_whole(facts, 9000).tokens_per_second, 100);
}

TEST(Observations, AFullReplyTellsItsSpeedAndNothingElse) {
    codec::AnswerFacts facts;
    facts.completion_tokens = 20;
    facts.load_ms = 4000;
    const Observation seen = observation_of_whole(facts, 2000);
    EXPECT_EQ(seen.tokens_per_second, 10);
    EXPECT_FALSE(seen.warm_ms || seen.cold_ms || seen.load_ms || seen.failed);
    EXPECT_FALSE(observation_of_whole(facts_with(1), 2000).tokens_per_second) << "an embedding";
}

TEST(Observations, AWarmStreamTellsTheEnergyOfAToken) {
    EXPECT_EQ(observation_of(facts_with(10), {100, 1100, false, true, 25.0}).joules_per_token, 2.5);
}

TEST(Observations, WhatSaysNothingAboutTheEnergyOfAToken) {
    const auto told = [](std::uint64_t tokens, const StreamTimes& times) {
        return observation_of(facts_with(tokens), times).joules_per_token.has_value();
    };
    EXPECT_FALSE(told(10, {100, 1100, true, true, 25.0})) << "loading is in it";
    EXPECT_FALSE(told(10, {100, 1100, false, false, 25.0})) << "cut";
    EXPECT_FALSE(told(4, {100, 1100, false, true, 25.0})) << "few tokens";
    EXPECT_FALSE(told(10, {100, 1100, false, true, std::nullopt})) << "not known";
}

TEST(Observations, AFewTokensSayNothingAboutSpeed) {
    EXPECT_FALSE(observation_of(facts_with(3), {100, 1100, false, true}).tokens_per_second);
    EXPECT_FALSE(observation_of(facts_with(0), {0, 1100, false, true}).warm_ms);
}

}  // namespace
}  // namespace ollama_proxy::router
