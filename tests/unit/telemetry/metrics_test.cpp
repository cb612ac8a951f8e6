#include "ollama_proxy/telemetry/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <thread>

namespace ollama_proxy::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Registry, WritesCountersAndGaugesOrderedByName) {
    Registry registry;
    registry.gauge("queue_depth", "Waiting requests.").set(2.5);
    registry.counter("answers_total", "Answers.").add(3);
    EXPECT_EQ(registry.prometheus_text(),
              "# HELP answers_total Answers.\n# TYPE answers_total counter\nanswers_total 3\n"
              "# HELP queue_depth Waiting requests.\n# TYPE queue_depth gauge\nqueue_depth 2.5\n");
}

TEST(Registry, ReturnsTheSameMetricForTheSameName) {
    Registry registry;
    EXPECT_EQ(&registry.counter("a_total", "A."), &registry.counter("a_total", "A."));
    auto& family = registry.counters("b_total", "B.", {"backend"});
    EXPECT_EQ(&family.with({"x"}), &registry.counters("b_total", "B.", {"backend"}).with({"x"}));
    EXPECT_NE(&family.with({"x"}), &family.with({"y"}));
}

TEST(Registry, RefusesNamesThatPrometheusRefusesAndOtherKinds) {
    Registry registry;
    registry.counter("a_total", "A.");
    EXPECT_THROW(registry.gauge("a_total", "A."), std::logic_error);
    EXPECT_THROW(registry.counter("a-total", "A."), std::logic_error);
    EXPECT_THROW(registry.counter("1a", "A."), std::logic_error);
    EXPECT_THROW(registry.counters("b", "B.", {"la bel"}), std::logic_error);
}

TEST(Registry, EscapesLabelsAndHelp) {
    Registry registry;
    registry.counters("a_total", "Back\\slash\nand \"quote\".", {"model"})
        .with({"x\"y\\z\nw\xff"})
        .add();
    const auto text = registry.prometheus_text();
    EXPECT_THAT(text, HasSubstr("# HELP a_total Back\\\\slash\\nand \"quote\".\n"));
    EXPECT_THAT(text, HasSubstr("a_total{model=\"x\\\"y\\\\z\\nw\xef\xbf\xbd\"} 1\n"));
}

TEST(Registry, CountsLabelSetsBeyondTheBoundAsOther) {
    Registry registry;
    auto& family = registry.counters("a_total", "A.", {"model", "status"}, 2);
    family.with({"m1", "200"}).add();
    family.with({"m2", "200"}).add();
    for (int i = 3; i < 1000; ++i) family.with({"m" + std::to_string(i), "200"}).add();
    family.with({"m1", "200"}).add();
    const auto text = registry.prometheus_text();
    EXPECT_THAT(text, HasSubstr("a_total{model=\"m1\",status=\"200\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("a_total{model=\"other\",status=\"other\"} 997\n"));
    EXPECT_THAT(text, Not(HasSubstr("m3")));
}

TEST(Registry, FillsMissingLabelValues) {
    Registry registry;
    registry.gauges("g", "G.", {"a", "b"}).with({"x"}).set(1);
    EXPECT_THAT(registry.prometheus_text(), HasSubstr("g{a=\"x\",b=\"\"} 1\n"));
}

TEST(Registry, WritesCumulativeBucketsOfHistograms) {
    Registry registry;
    auto& latency =
        registry.histograms("latency_seconds", "L.", {"backend"}, {0.1, 0.5, 2}).with({"b"});
    for (const double value : {0.05, 0.1, 0.3, 7.0}) latency.observe(value);
    EXPECT_THAT(registry.prometheus_text(),
                HasSubstr("latency_seconds_bucket{backend=\"b\",le=\"0.1\"} 2\n"
                          "latency_seconds_bucket{backend=\"b\",le=\"0.5\"} 3\n"
                          "latency_seconds_bucket{backend=\"b\",le=\"2\"} 3\n"
                          "latency_seconds_bucket{backend=\"b\",le=\"+Inf\"} 4\n"
                          "latency_seconds_sum{backend=\"b\"} 7.45\n"
                          "latency_seconds_count{backend=\"b\"} 4\n"));
    EXPECT_THROW(Histogram({2, 1}), std::logic_error);
}

TEST(Registry, ReadsSampledValuesWhenAsked) {
    Registry registry;
    double value = 1;
    registry.sampled(SampleKind::gauge, "up", "U.", {"backend"},
                     [&value] { return std::vector<Sample>{{{"a"}, value}, {{}, std::nan("")}}; });
    value = 7;
    EXPECT_THAT(registry.prometheus_text(),
                HasSubstr("# TYPE up gauge\nup{backend=\"a\"} 7\nup{backend=\"\"} NaN\n"));
    registry.remove_sampled("up");
    EXPECT_EQ(registry.prometheus_text(), "");
}

TEST(Registry, BoundsSampledValues) {
    Registry registry;
    registry.sampled(SampleKind::counter, "c_total", "C.", {"n"}, [] {
        std::vector<Sample> samples;
        for (int i = 0; i < 5000; ++i) samples.push_back({{std::to_string(i)}, 1});
        return samples;
    });
    const auto text = registry.prometheus_text();
    EXPECT_THAT(text, HasSubstr("c_total{n=\"255\"} 1\n"));
    EXPECT_THAT(text, Not(HasSubstr("c_total{n=\"256\"}")));
}

TEST(Registry, LosesNoIncrementOfManyThreads) {
    Registry registry;
    auto& family = registry.counters("a_total", "A.", {"n"});
    auto& sizes = registry.histogram("sizes", "S.", {1});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 10'000; ++i) {
                family.with({i % 2 == 0 ? "even" : "odd"}).add();
                sizes.observe(0.5);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(family.with({"even"}).value(), 20'000U);
    EXPECT_EQ(sizes.in_bucket(0), 40'000U);
    EXPECT_EQ(sizes.sum(), 20'000.0);
}

TEST(LocalHistogram, HandsOverAtMostOnceASecondAndAtTheEnd) {
    Histogram shared({1, 10});
    const TimePoint start{std::chrono::hours(1)};
    {
        LocalHistogram local(shared);
        local.observe(0.5, start);
        EXPECT_EQ(shared.in_bucket(0), 1U) << "the first shows at once";
        local.observe(5, start + std::chrono::milliseconds(900));
        local.observe(50, start + std::chrono::milliseconds(999));
        EXPECT_EQ(shared.in_bucket(1), 0U);
        local.observe(5, start + std::chrono::milliseconds(1000));
        EXPECT_EQ(shared.in_bucket(1), 2U);
        EXPECT_EQ(shared.in_bucket(2), 1U);
        local.observe(0.5, start + std::chrono::milliseconds(1001));
        LocalHistogram moved = std::move(local);
        moved.observe(0.5, start + std::chrono::milliseconds(1002));
    }
    EXPECT_EQ(shared.in_bucket(0), 3U);
    EXPECT_DOUBLE_EQ(shared.sum(), 0.5 + 5 + 50 + 5 + 0.5 + 0.5);
}

TEST(LocalHistogram, WithoutATargetCountsNothing) {
    LocalHistogram none;
    none.observe(1, TimePoint{});
    none.flush();
}

}  // namespace
}  // namespace ollama_proxy::telemetry
