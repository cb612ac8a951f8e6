#include "ollama_proxy/upstream/backend.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace ollama_proxy::upstream {
namespace {

using std::chrono::seconds;

std::shared_ptr<Backend> backend(const std::string& id) {
    config::Backend settings;
    settings.id = id;
    return std::make_shared<Backend>(settings, config::CircuitBreaker{});
}

TEST(Backend, IsUnknownAndClosedAtFirst) {
    const auto b = backend("b");
    EXPECT_EQ(b->health(), Health::unknown);
    EXPECT_FALSE(b->catalog()->known);
    EXPECT_TRUE(b->addresses()->empty());
    EXPECT_EQ(b->breaker_state(Clock::now()), BreakerState::closed);
    EXPECT_NE(b->serial(), backend("b")->serial());
}

TEST(Backend, KnowsAtOnceWhatNeedsNoResolver) {
    const auto known = [](std::string host) {
        config::Backend settings;
        settings.endpoint.host = std::move(host);
        settings.endpoint.port = 11434;
        const Backend b(settings, config::CircuitBreaker{});
        std::string text;
        for (const auto& one : *b.addresses()) text += one.address().to_string() + " ";
        return text;
    };
    EXPECT_EQ(known("127.0.0.2"), "127.0.0.2 ");
    EXPECT_EQ(known("::1"), "::1 ");
    EXPECT_EQ(known("localhost"), "127.0.0.1 ::1 ");
    EXPECT_EQ(known("gpu.example"), "");
}

TEST(Backend, InheritsWhatWasFoundOutOfTheSameServer) {
    const auto former = backend("b");
    const TimePoint now = Clock::now();
    auto catalog = std::make_shared<Catalog>();
    catalog->known = true;
    former->set_catalog(catalog);
    (void)former->set_health(Health::unhealthy, "refused");
    former->mark_absent("gone");
    former->mark_lacking(codec::Api::embeddings);
    former->park_until(now + seconds(5));
    for (int i = 0; i < 5; ++i) former->record(Outcome::failure, now);
    EXPECT_EQ(former->breaker_state(now), BreakerState::open);

    const auto latter = backend("b");
    latter->inherit(*former, true);
    EXPECT_EQ(latter->health(), Health::unhealthy);
    EXPECT_EQ(latter->health_reason(), "refused");
    EXPECT_EQ(latter->catalog(), former->catalog());
    EXPECT_TRUE(latter->is_absent("gone"));
    EXPECT_TRUE(latter->lacks(codec::Api::embeddings));
    EXPECT_TRUE(latter->is_parked(now));
    EXPECT_EQ(latter->failures(), 5U);
    EXPECT_EQ(latter->breaker_state(now), BreakerState::open);
    EXPECT_FALSE(latter->breaker_would_allow(now));
    EXPECT_FALSE(latter->breaker_acquire(now));
    EXPECT_GT(latter->error_share(now), 0);
    const auto other_rules = backend("b");
    other_rules->inherit(*former, false);
    EXPECT_EQ(other_rules->breaker_state(now), BreakerState::closed);
    EXPECT_TRUE(other_rules->breaker_would_allow(now));
}

TEST(Backend, AProbeThatIsOutWhenItIsInheritedDoesNotBlockTheNext) {
    const auto former = backend("b");
    const TimePoint now = Clock::now();
    for (int i = 0; i < 5; ++i) former->record(Outcome::failure, now);
    const TimePoint due = former->breaker_retry_at();
    EXPECT_TRUE(former->breaker_acquire(due)) << "the probe, whose verdict goes to the former one";
    EXPECT_FALSE(former->breaker_acquire(due));

    const auto latter = backend("b");
    latter->inherit(*former, true);
    EXPECT_TRUE(latter->breaker_acquire(due));
    EXPECT_FALSE(latter->breaker_acquire(due)) << "still one at a time";
}

TEST(Backend, TellsWhetherTheHealthChanged) {
    const auto b = backend("b");
    EXPECT_TRUE(b->set_health(Health::healthy, "answers"));
    EXPECT_FALSE(b->set_health(Health::healthy, "answers again"));
    EXPECT_EQ(b->health_reason(), "answers again");
    EXPECT_TRUE(b->set_health(Health::unhealthy, "refused"));
}

TEST(Backend, CountsOutcomesAndFeedsTheBreaker) {
    const auto b = backend("b");
    const TimePoint now = Clock::now();
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(b->breaker_acquire(now));
        b->record(Outcome::failure, now);
    }
    for (const auto outcome : {Outcome::busy, Outcome::cancelled}) {
        EXPECT_TRUE(b->breaker_acquire(now));
        b->record(outcome, now);
    }
    EXPECT_EQ(b->breaker_state(now), BreakerState::closed);
    EXPECT_TRUE(b->breaker_acquire(now));
    b->record(Outcome::failure, now);
    EXPECT_EQ(b->breaker_state(now), BreakerState::open);
    EXPECT_FALSE(b->breaker_would_allow(now));
    EXPECT_FALSE(b->breaker_acquire(now));
    EXPECT_GT(b->breaker_retry_at(), now);
    EXPECT_GT(b->error_share(now), 0.0);
    EXPECT_EQ(b->requests(), 7U);
    EXPECT_EQ(b->failures(), 5U);
}

TEST(Backend, ForgetsAbsentModelsWhenAsked) {
    const auto b = backend("b");
    EXPECT_FALSE(b->is_absent("m:latest"));
    b->mark_absent("m:latest");
    b->mark_absent("m:latest");
    EXPECT_TRUE(b->is_absent("m:latest"));
    EXPECT_FALSE(b->is_absent("n:latest"));
    b->clear_absent();
    EXPECT_FALSE(b->is_absent("m:latest"));
}

TEST(Backend, RemembersABoundedNumberOfAbsentModels) {
    const auto b = backend("b");
    for (int i = 0; i < 1000; ++i) b->mark_absent(std::to_string(i));
    EXPECT_FALSE(b->is_absent("0"));
    EXPECT_TRUE(b->is_absent("999"));
}

TEST(Backend, LearnsWhichRoutesItLacks) {
    const auto b = backend("b");
    EXPECT_FALSE(b->lacks(codec::Api::responses));
    b->mark_lacking(codec::Api::responses);
    EXPECT_TRUE(b->lacks(codec::Api::responses));
    EXPECT_FALSE(b->lacks(codec::Api::messages));
    b->clear_lacking();
    EXPECT_FALSE(b->lacks(codec::Api::responses));
}

TEST(Backend, IsParkedForAMinuteAtMostAndNeverShortened) {
    const auto b = backend("b");
    const TimePoint now = Clock::now();
    EXPECT_FALSE(b->is_parked(now));
    b->park_until(now + seconds(1'000'000'000));
    EXPECT_TRUE(b->is_parked(now + seconds(59)));
    EXPECT_FALSE(b->is_parked(now + seconds(62)));
    b->park_until(now + seconds(1));
    EXPECT_TRUE(b->is_parked(now + seconds(59)));
}

TEST(Backend, KnowsSinceWhenItIsBackAfterTrouble) {
    const auto down = backend("b");
    (void)down->set_health(Health::healthy, {});
    EXPECT_EQ(down->back_since(), TimePoint{}) << "it has only been found";
    (void)down->set_health(Health::unhealthy, "refused");
    (void)down->set_health(Health::healthy, {});
    EXPECT_NE(down->back_since(), TimePoint{});

    const auto busy = backend("b");
    busy->park_until(Clock::now() + seconds(30));
    EXPECT_EQ(busy->back_since(), busy->parked_until());
}

TEST(BackendSet, FindsById) {
    BackendSet set{{backend("a"), backend("b")}};
    EXPECT_EQ(set.find("b"), set.backends[1]);
    EXPECT_EQ(set.find("c"), nullptr);
}

}  // namespace
}  // namespace ollama_proxy::upstream
