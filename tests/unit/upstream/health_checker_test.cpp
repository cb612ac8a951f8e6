#include "ollama_proxy/upstream/health_checker.hpp"

#include "health_tiny_server.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ollama_proxy::upstream {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr seconds kPatience{20};

struct Change {
    std::string id;
    Health before;
    Health after;
};

/// Checker and server on one io_context, which the test runs step by step.
class HealthCheckerTest : public ::testing::Test {
  protected:
    HealthCheckerTest() {
        settings_.interval = milliseconds(100);
        settings_.idle_interval = seconds(60);
        server_.answer("/api/version", 200, R"({"version":"0.5.1"})");
        server_.answer("/api/tags", 200, R"({"models":[{"name":"m:1b"}]})");
        server_.answer("/api/ps", 200, R"({"models":[{"name":"m:1b"}]})");
        server_.answer("/v1/models", 200, R"({"data":[{"id":"gpt"}]})");
    }
    ~HealthCheckerTest() override {
        checker_.reset();
        server_.release();
        server_.close();
        control_.restart();
        control_.run_for(seconds(5));
        EXPECT_TRUE(control_.stopped()) << "something of the checker goes on running";
    }

    std::shared_ptr<Backend> backend(const std::string& id, std::uint16_t port,
                                     config::BackendType type = config::BackendType::ollama) {
        config::Backend b;
        b.id = id;
        b.type = type;
        b.hardware = config::Hardware::cpu;
        b.endpoint.host = "127.0.0.1";
        b.endpoint.port = port;
        b.endpoint.text = "http://127.0.0.1:" + std::to_string(port);
        return std::make_shared<Backend>(b, config::CircuitBreaker{});
    }
    HealthChecker& watch(std::vector<std::shared_ptr<Backend>> backends) {
        if (!checker_) {
            checker_.emplace(control_, settings_, [this](const Backend& b, Health before) {
                changes_.push_back({b.id(), before, b.health()});
            });
        }
        auto set = std::make_shared<BackendSet>();
        set->backends = std::move(backends);
        checker_->watch(std::move(set), settings_);
        return *checker_;
    }
    template <class Condition>
    [[nodiscard]] bool run_until(Condition condition) {
        const auto deadline = Clock::now() + kPatience;
        while (!condition()) {
            control_.restart();
            if (control_.run_one_until(deadline) == 0) return condition();
        }
        return true;
    }
    /// Runs what is ready and what comes within this time.
    void run_for(milliseconds time) {
        control_.restart();
        control_.run_for(time);
    }
    [[nodiscard]] bool healthy_with_catalog(const std::shared_ptr<Backend>& b) {
        return run_until([&] { return b->health() == Health::healthy && b->catalog()->known; });
    }

    asio::io_context control_{1};
    config::Health settings_;
    TinyServer server_{control_};
    std::vector<Change> changes_;
    std::optional<HealthChecker> checker_;
};

TEST_F(HealthCheckerTest, ProbesAtOnceAndFetchesTheCatalog) {
    const auto b = backend("b", server_.port());
    watch({b});
    ASSERT_TRUE(healthy_with_catalog(b));
    EXPECT_EQ(b->catalog()->version, "0.5.1");
    EXPECT_NE(b->catalog()->find("m:1b"), nullptr);
    EXPECT_TRUE(b->catalog()->is_loaded("m:1b"));
    EXPECT_FALSE(b->addresses()->empty());
    ASSERT_EQ(changes_.size(), 1U);
    EXPECT_EQ(changes_[0].before, Health::unknown);
    EXPECT_EQ(changes_[0].after, Health::healthy);
}

TEST_F(HealthCheckerTest, TakesTheCatalogOfAnOpenAiServerFromItsProbe) {
    const auto b = backend("b", server_.port(), config::BackendType::openai);
    watch({b});
    ASSERT_TRUE(healthy_with_catalog(b));
    EXPECT_NE(b->catalog()->find("gpt"), nullptr);
    EXPECT_EQ(server_.hits("/v1/models"), 1);
    EXPECT_EQ(server_.hits("/api/tags"), 0);
}

TEST_F(HealthCheckerTest, MarksARefusingBackendUnhealthyAfterThreeProbes) {
    server_.close();
    const auto b = backend("b", server_.port());
    watch({b});
    ASSERT_TRUE(run_until([&] { return !changes_.empty(); }));
    EXPECT_EQ(changes_[0].after, Health::unhealthy);
    EXPECT_NE(b->health_reason(), "");
}

TEST_F(HealthCheckerTest, NoticesABackendThatBreaksAndRecovers) {
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    checker.note_request();
    ASSERT_TRUE(healthy_with_catalog(b));
    server_.answer("/api/version", 500, "broken");
    ASSERT_TRUE(run_until([&] { return b->health() == Health::unhealthy; }));
    EXPECT_THAT(b->health_reason(), HasSubstr("500"));
    server_.answer("/api/version", 200, R"({"version":"0.6.0"})");
    ASSERT_TRUE(run_until([&] { return b->health() == Health::healthy; }));
    ASSERT_TRUE(run_until([&] { return b->catalog()->version == "0.6.0"; }));
    EXPECT_EQ(changes_.size(), 3U);
}

TEST_F(HealthCheckerTest, NeverProbesADisabledBackend) {
    config::Backend settings = backend("off", server_.port())->settings();
    settings.enabled = false;
    const auto off = std::make_shared<Backend>(settings, config::CircuitBreaker{});
    const auto on = backend("on", server_.port());
    watch({off, on});
    ASSERT_TRUE(healthy_with_catalog(on));
    EXPECT_EQ(server_.hits("/api/version"), 1);
    EXPECT_EQ(off->health(), Health::unknown);
}

TEST_F(HealthCheckerTest, SlowsDownWhileNobodyAsksAndSpeedsUpWithTheFirstRequest) {
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    ASSERT_TRUE(healthy_with_catalog(b));
    run_for(milliseconds(350));
    EXPECT_EQ(server_.hits("/api/version"), 1);
    checker.note_request();
    EXPECT_TRUE(run_until([&] { return server_.hits("/api/version") >= 3; }));
    EXPECT_TRUE(run_until([&] { return server_.hits("/api/ps") >= 3; })) << "loaded models";
}

TEST_F(HealthCheckerTest, ProbesEverythingWhenAskedAfterSleep) {
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    ASSERT_TRUE(healthy_with_catalog(b));
    checker.probe_soon();
    EXPECT_TRUE(run_until([&] { return server_.hits("/api/version") == 2; }));
}

TEST_F(HealthCheckerTest, FetchesACatalogAgainAfterA404) {
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    ASSERT_TRUE(healthy_with_catalog(b));
    b->mark_absent("m:1b");
    server_.answer("/api/tags", 200, R"({"models":[{"name":"new:1b"}]})");
    checker.refresh_soon(b);
    ASSERT_TRUE(run_until([&] { return b->catalog()->find("new:1b") != nullptr; }));
    EXPECT_FALSE(b->is_absent("m:1b"));
    checker.refresh_soon(backend("stranger", 1));
    run_for(milliseconds(1));
}

TEST_F(HealthCheckerTest, NotesThatALoadedModelWasMissing) {
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    const auto see = [&](const char* ps) {
        server_.answer("/api/ps", 200, ps);
        const TimePoint before = b->catalog()->fetched;
        checker.refresh_soon(b);
        ASSERT_TRUE(run_until([&] { return b->catalog()->fetched > before; }));
    };
    ASSERT_TRUE(run_until([&] { return b->catalog()->is_loaded("m:1b"); }));
    EXPECT_EQ(b->catalog()->find_loaded("m:1b")->missed_at, TimePoint{});
    see(R"({"models":[]})");
    EXPECT_FALSE(b->catalog()->is_loaded("m:1b"));
    const TimePoint missed = b->catalog()->loaded_asked;
    see(R"({"models":[{"name":"m:1b"}]})");
    EXPECT_EQ(b->catalog()->find_loaded("m:1b")->missed_at, missed);
}

TEST_F(HealthCheckerTest, KeepsTheCatalogWhenTheAnswerIsGarbage) {
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    ASSERT_TRUE(healthy_with_catalog(b));
    server_.answer("/api/tags", 200, "<html>");
    checker.refresh_soon(b);
    ASSERT_TRUE(run_until([&] { return server_.hits("/api/tags") == 2; }));
    run_for(milliseconds(20));
    EXPECT_NE(b->catalog()->find("m:1b"), nullptr);
    EXPECT_EQ(b->health(), Health::healthy);
}

TEST_F(HealthCheckerTest, ConcurrentCallersShareOneFetch) {
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    ASSERT_TRUE(healthy_with_catalog(b));
    server_.hold("/api/tags");
    int done = 0;
    for (int i = 0; i < 10; ++i) {
        asio::co_spawn(control_, checker.refresh_catalogs(Clock::duration::zero()),
                       [&done](std::exception_ptr) { ++done; });
    }
    ASSERT_TRUE(run_until([&] { return server_.hits("/api/tags") == 2; }));
    EXPECT_EQ(done, 0);
    server_.release();
    ASSERT_TRUE(run_until([&] { return done == 10; }));
    EXPECT_EQ(server_.hits("/api/tags"), 2);
}

TEST_F(HealthCheckerTest, AFreshCatalogIsNotFetched) {
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    ASSERT_TRUE(healthy_with_catalog(b));
    bool done = false;
    asio::co_spawn(control_, checker.refresh_catalogs(std::chrono::hours(1)),
                   [&done](std::exception_ptr) { done = true; });
    ASSERT_TRUE(run_until([&] { return done; }));
    EXPECT_EQ(server_.hits("/api/tags"), 1);
}

TEST_F(HealthCheckerTest, GivesUpOnASlowCatalog) {
    settings_.timeout = milliseconds(100);
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    ASSERT_TRUE(healthy_with_catalog(b));
    server_.hold("/api/tags");
    bool done = false;
    asio::co_spawn(control_, checker.refresh_catalogs(Clock::duration::zero()),
                   [&done](std::exception_ptr) { done = true; });
    ASSERT_TRUE(run_until([&] { return done; }));
    EXPECT_NE(b->catalog()->find("m:1b"), nullptr);
}

/// Runs `awaitable<bool>` on the control context; nullopt while it has not ended.
class Call {
  public:
    Call(asio::io_context& context, asio::awaitable<bool> call) {
        asio::co_spawn(context, std::move(call),
                       asio::bind_cancellation_slot(
                           signal_.slot(), [result = result_](std::exception_ptr e, bool value) {
                               *result = e ? std::optional<bool>() : value;
                           }));
    }
    [[nodiscard]] const std::optional<bool>& result() const { return *result_; }
    void cancel() { signal_.emit(asio::cancellation_type::terminal); }

  private:
    std::shared_ptr<std::optional<bool>> result_ = std::make_shared<std::optional<bool>>();
    asio::cancellation_signal signal_;
};

TEST_F(HealthCheckerTest, ARequestFindsABackendThatWasStartedJustNow) {
    settings_.interval = seconds(30);  // the next probe is far away
    server_.close();
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    ASSERT_TRUE(run_until([&] { return b->health_reason() != ""; }));
    Call first(control_, checker.probe_refused(seconds(10)));
    ASSERT_TRUE(run_until([&] { return first.result().has_value(); }));
    EXPECT_FALSE(*first.result());

    server_.open();
    Call second(control_, checker.probe_refused(seconds(10)));
    ASSERT_TRUE(run_until([&] { return second.result().has_value(); }));
    EXPECT_TRUE(*second.result());
    EXPECT_EQ(b->health(), Health::healthy);
}

TEST_F(HealthCheckerTest, ARequestWaitsNoLongerThanItsLimit) {
    settings_.timeout = seconds(10);
    server_.hold("/api/version");
    auto& checker = watch({backend("b", server_.port())});
    ASSERT_TRUE(run_until([&] { return server_.hits("/api/version") == 1; }));
    const auto begin = Clock::now();
    Call call(control_, checker.probe_refused(milliseconds(40)));
    ASSERT_TRUE(run_until([&] { return call.result().has_value(); }));
    EXPECT_FALSE(*call.result());
    EXPECT_LT(Clock::now() - begin, seconds(5));
    EXPECT_EQ(server_.hits("/api/version"), 1);
}

TEST_F(HealthCheckerTest, OneHealthyBackendIsEnoughForARequest) {
    settings_.timeout = seconds(10);
    server_.hold("/api/version");
    TinyServer other(control_);
    other.answer("/v1/models", 200, R"({"data":[]})");
    auto& checker = watch({backend("hangs", server_.port())});
    ASSERT_TRUE(run_until([&] { return server_.hits("/api/version") == 1; }));
    watch({backend("hangs", server_.port()),
           backend("answers", other.port(), config::BackendType::openai)});
    const auto begin = Clock::now();
    Call call(control_, checker.probe_refused(seconds(8)));
    ASSERT_TRUE(run_until([&] { return call.result().has_value(); }));
    EXPECT_TRUE(*call.result());
    EXPECT_LT(Clock::now() - begin, seconds(4));
}

TEST_F(HealthCheckerTest, StoppingLetsWaitersGoAndChangesNothingMore) {
    server_.hold("/api/version");
    auto& checker = watch({backend("b", server_.port())});
    ASSERT_TRUE(run_until([&] { return server_.hits("/api/version") == 1; }));
    Call call(control_, checker.probe_refused(std::chrono::hours(1)));
    run_for(milliseconds(1));
    checker.stop();
    ASSERT_TRUE(run_until([&] { return call.result().has_value(); }));
    EXPECT_FALSE(*call.result());
    server_.release();
    run_for(milliseconds(20));
    EXPECT_TRUE(changes_.empty());

    Call late(control_, checker.probe_refused(std::chrono::hours(1)));
    ASSERT_TRUE(run_until([&] { return late.result().has_value(); }));
}

TEST_F(HealthCheckerTest, ACallerMayBeCancelledAtAnyTime) {
    server_.hold("/api/version");
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    ASSERT_TRUE(run_until([&] { return server_.hits("/api/version") == 1; }));
    {
        Call call(control_, checker.probe_refused(std::chrono::hours(1)));
        run_for(milliseconds(1));
        call.cancel();
        run_for(milliseconds(1));
    }
    server_.release();
    EXPECT_TRUE(healthy_with_catalog(b));
}

TEST_F(HealthCheckerTest, ACallersContextMayDieWhileItWaits) {
    server_.hold("/api/version");
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    ASSERT_TRUE(run_until([&] { return server_.hits("/api/version") == 1; }));
    {
        asio::io_context worker{1};
        Call call(worker, checker.probe_refused(std::chrono::hours(1)));
        worker.poll();
        run_for(milliseconds(1));
    }
    server_.release();
    EXPECT_TRUE(healthy_with_catalog(b));
}

TEST_F(HealthCheckerTest, ServesCallersOfOtherThreads) {
    const auto b = backend("b", server_.port());
    auto& checker = watch({b});
    ASSERT_TRUE(healthy_with_catalog(b));
    auto guard = asio::make_work_guard(control_);
    control_.restart();
    std::thread control([this] { control_.run(); });
    std::vector<std::thread> workers;
    std::atomic<int> done{0};
    for (int t = 0; t < 4; ++t) {
        workers.emplace_back([&] {
            asio::io_context worker{1};
            for (int i = 0; i < 25; ++i) {
                checker.note_request();
                asio::co_spawn(worker, checker.refresh_catalogs(Clock::duration::zero()),
                               [&](std::exception_ptr) { ++done; });
                asio::co_spawn(worker, checker.probe_refused(seconds(1)),
                               [&](std::exception_ptr, bool) { ++done; });
                worker.restart();
                worker.run();
            }
        });
    }
    for (auto& worker : workers) worker.join();
    guard.reset();
    control_.stop();
    control.join();
    EXPECT_EQ(done.load(), 200);
}

TEST_F(HealthCheckerTest, AReloadDropsTheOldAndKeepsTheSame) {
    TinyServer second(control_);
    second.answer("/v1/models", 200, R"({"data":[]})");
    const auto kept = backend("kept", server_.port());
    const auto dropped = backend("dropped", second.port(), config::BackendType::openai);
    auto& checker = watch({kept, dropped});
    ASSERT_TRUE(healthy_with_catalog(kept));
    ASSERT_TRUE(healthy_with_catalog(dropped));
    watch({kept});
    checker.note_request();
    ASSERT_TRUE(run_until([&] { return server_.hits("/api/version") >= 3; }));
    EXPECT_EQ(second.hits("/v1/models"), 1);
    EXPECT_EQ(changes_.size(), 2U) << "the kept one was not started anew";
}

}  // namespace
}  // namespace ollama_proxy::upstream
