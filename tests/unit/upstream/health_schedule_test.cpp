#include "upstream/probe_schedule.hpp"
#include "upstream/probe_verdict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace ollama_proxy::upstream {
namespace {

using config::BackendType;
using config::Hardware;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TimePoint kStart{std::chrono::hours(1)};

class Schedule : public ::testing::Test {
  protected:
    Health feed(ProbeResult result) { return schedule_.on_result(result, now_, settings_); }
    /// Seconds until the next probe.
    long pause(TimePoint last_request = kNoRequestYet, Hardware hardware = Hardware::cpu) const {
        const auto due = schedule_.next_due(now_, last_request, settings_, hardware);
        return std::chrono::duration_cast<seconds>(due - now_).count();
    }
    void go_down() {
        for (unsigned i = 0; i < settings_.unhealthy_threshold; ++i) feed(ProbeResult::refused);
    }

    config::Health settings_;
    ProbeSchedule schedule_;
    TimePoint now_ = kStart;
};

TEST_F(Schedule, ProbesAtOnceAtFirst) { EXPECT_EQ(pause(), 0); }

TEST_F(Schedule, GoesOnFromWhatWasKnownOfTheServerAndLooksAtOnce) {
    schedule_ = ProbeSchedule(Health::healthy);
    EXPECT_EQ(pause(), 0);
    EXPECT_EQ(feed(ProbeResult::failed), Health::healthy) << "one failure of three";
    schedule_ = ProbeSchedule(Health::unhealthy);
    EXPECT_EQ(feed(ProbeResult::refused), Health::unhealthy);
    EXPECT_GE(pause(), 1) << "not in a tight loop";
    EXPECT_EQ(feed(ProbeResult::ok), Health::healthy);
}

TEST_F(Schedule, OneSuccessMakesTheUnknownHealthy) {
    settings_.healthy_threshold = 3;
    EXPECT_EQ(feed(ProbeResult::ok), Health::healthy);
}

TEST_F(Schedule, ThreeFailuresInARowMakeItUnhealthy) {
    feed(ProbeResult::ok);
    EXPECT_EQ(feed(ProbeResult::failed), Health::healthy);
    EXPECT_EQ(feed(ProbeResult::refused), Health::healthy);
    EXPECT_EQ(feed(ProbeResult::ok), Health::healthy);
    EXPECT_EQ(feed(ProbeResult::failed), Health::healthy);
    EXPECT_EQ(feed(ProbeResult::failed), Health::healthy);
    EXPECT_EQ(feed(ProbeResult::failed), Health::unhealthy);
}

TEST_F(Schedule, StaysUnknownUntilTheThresholdIsReached) {
    EXPECT_EQ(feed(ProbeResult::refused), Health::unknown);
    EXPECT_EQ(pause(), 1);
    EXPECT_EQ(feed(ProbeResult::refused), Health::unknown);
    EXPECT_EQ(feed(ProbeResult::refused), Health::unhealthy);
}

TEST_F(Schedule, SlowsDownWhileIdle) {
    feed(ProbeResult::ok);
    EXPECT_EQ(pause(kNoRequestYet), 60);
    EXPECT_EQ(pause(now_ - seconds(59)), 5);
    EXPECT_EQ(pause(now_ - seconds(60)), 60);
}

TEST_F(Schedule, AsksACloudOnceAMinute) {
    feed(ProbeResult::ok);
    EXPECT_EQ(pause(now_, Hardware::cloud), 60);
}

TEST_F(Schedule, LooksAgainSoonAfterARefusalAndAtTheUsualPaceAfterATimeout) {
    feed(ProbeResult::ok);
    feed(ProbeResult::refused);
    EXPECT_EQ(pause(), 1);
    feed(ProbeResult::failed);
    EXPECT_EQ(pause(), 5);
}

TEST_F(Schedule, DoublesThePauseWhileDownUpToHalfAMinute) {
    go_down();
    std::vector<long> pauses;
    for (int i = 0; i < 7; ++i) {
        pauses.push_back(pause());
        feed(ProbeResult::refused);
    }
    EXPECT_THAT(pauses, ElementsAre(1, 2, 4, 8, 16, 30, 30));
}

TEST_F(Schedule, WantsAsManySuccessesAsConfiguredToRecover) {
    settings_.healthy_threshold = 2;
    go_down();
    EXPECT_EQ(feed(ProbeResult::ok), Health::unhealthy);
    EXPECT_EQ(pause(), 1);
    EXPECT_EQ(feed(ProbeResult::refused), Health::unhealthy);
    EXPECT_EQ(feed(ProbeResult::ok), Health::unhealthy);
    EXPECT_EQ(feed(ProbeResult::ok), Health::healthy);
}

TEST_F(Schedule, GoesOnWithTheLongPauseWhenItFlaps) {
    go_down();
    for (int i = 0; i < 2; ++i) feed(ProbeResult::refused);
    EXPECT_EQ(pause(), 4);
    feed(ProbeResult::ok);
    now_ += seconds(59);
    go_down();
    EXPECT_EQ(pause(), 8);
}

TEST_F(Schedule, ForgetsTheLongPauseOfABackendThatStayedUp) {
    go_down();
    for (int i = 0; i < 2; ++i) feed(ProbeResult::refused);
    feed(ProbeResult::ok);
    now_ += seconds(60);
    go_down();
    EXPECT_EQ(pause(), 1);
}

TEST_F(Schedule, ProbesUrgentlyButNotInATightLoop) {
    EXPECT_LE(schedule_.next_due_urgent(), now_);
    go_down();
    EXPECT_GT(schedule_.next_due_urgent(), now_);
    EXPECT_LE(schedule_.next_due_urgent(), now_ + std::chrono::milliseconds(30));
}

TEST(CatalogSchedule, SlowsDownWhileIdleAndRetriesAfterAFailure) {
    const config::Health settings;
    EXPECT_EQ(next_catalog_due(kStart, true, true, settings) - kStart, seconds(30));
    EXPECT_EQ(next_catalog_due(kStart, true, false, settings) - kStart, seconds(300));
    EXPECT_EQ(next_catalog_due(kStart, false, false, settings) - kStart, seconds(5));
}

ProbeVerdict judge(BackendType type, int status, std::string body) {
    return judge_probe(type, FetchReply{status, std::move(body)});
}

TEST(ProbeVerdict, WantsAVersionFromOllama) {
    const auto well = judge(BackendType::ollama, 200, R"({"version":"0.5.1"})");
    EXPECT_EQ(well.result, ProbeResult::ok);
    EXPECT_EQ(well.version, "0.5.1");
    EXPECT_EQ(judge(BackendType::ollama, 200, "<html>").result, ProbeResult::failed);
    const auto bad = judge(BackendType::ollama, 503, "");
    EXPECT_EQ(bad.result, ProbeResult::failed);
    EXPECT_THAT(bad.reason, HasSubstr("503"));
}

TEST(ProbeVerdict, TakesTheModelsOfAnOpenAiServerAlong) {
    const auto well = judge(BackendType::openai, 200, R"({"data":[{"id":"m"}]})");
    EXPECT_EQ(well.result, ProbeResult::ok);
    ASSERT_TRUE(well.models);
    EXPECT_EQ(well.models->size(), 1U);
    EXPECT_EQ(judge(BackendType::openai, 200, "{}").result, ProbeResult::failed);
}

TEST(ProbeVerdict, ToleratesAnOpenAiServerWithoutAListButNotARefusedKey) {
    EXPECT_EQ(judge(BackendType::openai, 404, "").result, ProbeResult::ok);
    EXPECT_EQ(judge(BackendType::openai, 429, "").result, ProbeResult::ok);
    EXPECT_EQ(judge(BackendType::openai, 500, "").result, ProbeResult::failed);
    const auto key = judge(BackendType::openai, 401, "");
    EXPECT_EQ(key.result, ProbeResult::failed);
    EXPECT_THAT(key.reason, HasSubstr("key"));
}

TEST(ProbeVerdict, TellsARefusalFromATimeout) {
    const auto of = [](Errc code) {
        return judge_probe(BackendType::ollama, make_error(code, "why")).result;
    };
    EXPECT_EQ(of(Errc::upstream_refused), ProbeResult::refused);
    EXPECT_EQ(of(Errc::upstream_timeout), ProbeResult::failed);
    EXPECT_EQ(of(Errc::bad_gateway), ProbeResult::failed);
}

}  // namespace
}  // namespace ollama_proxy::upstream
