// What of the former backends goes on under a new configuration.
#include "router/router_impl.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

class GenerationTest : public testing::Test {
  protected:
    GenerationTest() { config_.backends = {backend("a"), backend("b")}; }

    static config::Backend backend(const std::string& id) {
        config::Backend out;
        out.id = id;
        out.endpoint.text = "http://" + id + ":1";
        out.endpoint.host = id;
        out.endpoint.port = 1;
        return out;
    }
    std::shared_ptr<const Generation> next(const Generation* former) {
        return make_generation(std::make_shared<config::Config>(config_), learning_, former);
    }
    static upstream::Backend& at(const Generation& generation, std::size_t i) {
        return *generation.backends->backends.at(i);
    }
    static void fail(upstream::Backend& backend) {
        const TimePoint now = Clock::now();
        for (int i = 0; i < 5; ++i) backend.record(upstream::Outcome::failure, now);
    }

    boost::asio::io_context control_;
    config::Config config_;
    Learning learning_{control_, config_};
};

TEST_F(GenerationTest, ABackendThatStaysAsItWasIsTheVerySameWhereverItStands) {
    const auto former = next(nullptr);
    config_.backends = {backend("c"), backend("b"), backend("a")};
    const auto latter = next(former.get());
    EXPECT_EQ(&at(*latter, 1), &at(*former, 1));
    EXPECT_EQ(&at(*latter, 2), &at(*former, 0));
    EXPECT_EQ(latter->notes[2]->learned, former->notes[0]->learned);
    EXPECT_EQ(latter->notes[2]->affinity, former->notes[0]->affinity);
}

TEST_F(GenerationTest, TheSameServerUnderOtherSettingsPassesOnWhatIsKnownAndItsBreaker) {
    const auto former = next(nullptr);
    (void)at(*former, 0).set_health(upstream::Health::healthy, "");
    fail(at(*former, 0));
    config_.backends[0].max_concurrency = 7;
    const auto latter = next(former.get());
    ASSERT_NE(&at(*latter, 0), &at(*former, 0));
    EXPECT_EQ(at(*latter, 0).settings().max_concurrency, 7U);
    EXPECT_EQ(at(*latter, 0).health(), upstream::Health::healthy);
    EXPECT_EQ(at(*latter, 0).breaker_state(Clock::now()), upstream::BreakerState::open);
    EXPECT_EQ(latter->notes[0]->learned, former->notes[0]->learned);
    EXPECT_EQ(&at(*latter, 1), &at(*former, 1));
}

TEST_F(GenerationTest, AnotherServerUnderTheSameIdBeginsWithNothing) {
    const auto former = next(nullptr);
    (void)at(*former, 0).set_health(upstream::Health::healthy, "");
    fail(at(*former, 0));
    config_.backends[0].endpoint.port = 2;
    config_.backends[0].endpoint.text = "http://a:2";
    const auto latter = next(former.get());
    EXPECT_EQ(at(*latter, 0).health(), upstream::Health::unknown);
    EXPECT_EQ(at(*latter, 0).breaker_state(Clock::now()), upstream::BreakerState::closed);
    EXPECT_EQ(at(*latter, 0).failures(), 0U);
    EXPECT_NE(latter->notes[0]->learned, former->notes[0]->learned);
}

TEST_F(GenerationTest, OtherRulesOfTheBreakerLetEveryBreakerBeginAnewAndNothingElse) {
    const auto former = next(nullptr);
    (void)at(*former, 0).set_health(upstream::Health::healthy, "");
    fail(at(*former, 0));
    config_.circuit_breaker.min_requests = 50;
    const auto latter = next(former.get());
    EXPECT_EQ(at(*latter, 0).breaker_state(Clock::now()), upstream::BreakerState::closed);
    EXPECT_EQ(at(*latter, 0).health(), upstream::Health::healthy);
    EXPECT_EQ(at(*latter, 0).failures(), 5U);
}

TEST_F(GenerationTest, AReloadShowsTheNewBackendsAtOnce) {
    Router router(control_, std::make_shared<config::Config>(config_));
    config::Config other = config_;
    other.backends = {backend("b"), backend("c")};
    router.reload(std::make_shared<config::Config>(other));
    const auto view = router.view();
    ASSERT_EQ(view->backends.size(), 2U);
    EXPECT_EQ(view->backends[0].id, "b");
    EXPECT_EQ(view->backends[1].id, "c");
    EXPECT_EQ(router.config()->backends.size(), 2U);
    router.stop();
    control_.run();
}

}  // namespace
}  // namespace ollama_proxy::router
