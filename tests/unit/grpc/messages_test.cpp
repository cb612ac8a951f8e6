#include "grpc/messages.hpp"

#include "grpc/inference.hpp"

#include <gmock/gmock.h>

#include <limits>

namespace ollama_proxy::grpc_api {
namespace {

using ::testing::ElementsAre;

router::StatusView machine() {
    router::StatusView view;
    view.backends.resize(3);
    view.backends[0].id = "gpu-down";
    view.backends[0].hardware = "nvidia";
    view.backends[1].id = "gpu-up";
    view.backends[1].hardware = "nvidia";
    view.backends[1].healthy = true;
    view.backends[2].id = "npu";  // an id that is a hardware word too
    view.backends[2].hardware = "cpu";
    return view;
}

TEST(Hints, AreThoseOfTheAnnotations) {
    Annotations annotations;
    annotations.set_target("gpu-down");
    annotations.set_latency_critical(true);
    annotations.set_prefer_power_efficiency(true);
    annotations.set_max_latency_ms(250);
    annotations.set_max_power_watts(12.5);
    annotations.set_priority("3");
    annotations.set_media_type("audio");
    (*annotations.mutable_custom())["session_id"] = "s1";
    (*annotations.mutable_custom())["other"] = "x";
    const auto hints = read_hints(annotations, machine());
    ASSERT_TRUE(hints);
    EXPECT_EQ(hints->target, "gpu-down");
    EXPECT_TRUE(hints->latency_critical);
    EXPECT_TRUE(hints->power_efficient);
    EXPECT_EQ(hints->max_latency_ms, 250);
    EXPECT_EQ(hints->max_power_watts, 12.5);
    EXPECT_EQ(hints->priority, router::Priority::critical);
    EXPECT_EQ(hints->media_type, router::MediaType::audio);
    EXPECT_EQ(hints->session_id, "s1");
}

TEST(Hints, NotSaidIsNotAsked) {
    const auto hints = read_hints({}, machine());
    ASSERT_TRUE(hints);
    EXPECT_EQ(hints->target, "");
    EXPECT_FALSE(hints->max_latency_ms);
    EXPECT_FALSE(hints->max_power_watts);
    EXPECT_EQ(hints->priority, router::Priority::normal);
}

TEST(Hints, AHardwareWordMeansABackendThatCanServe) {
    Annotations annotations;
    const auto target = [&](const std::string& word) {
        annotations.set_target(word);
        return read_hints(annotations, machine())->target;
    };
    EXPECT_EQ(target("NVIDIA"), "gpu-up");
    EXPECT_EQ(target("npu"), "npu") << "ids come first";
    EXPECT_EQ(target("amd"), "amd") << "left for the router to refuse";
}

TEST(Hints, RefuseWhatDoesNotParseAndNameTheField) {
    const auto field = [](auto&& set) {
        Annotations annotations;
        set(annotations);
        const auto hints = read_hints(annotations, machine());
        return hints ? std::string("accepted") : hints.error().param;
    };
    EXPECT_EQ(field([](auto& a) { a.set_priority("urgent"); }), "annotations.priority");
    EXPECT_EQ(field([](auto& a) { a.set_media_type("smell"); }), "annotations.media_type");
    EXPECT_EQ(field([](auto& a) { a.set_max_latency_ms(-1); }), "annotations.max_latency_ms");
    EXPECT_EQ(field([](auto& a) { a.set_max_power_watts(-1); }), "annotations.max_power_watts");
    EXPECT_EQ(
        field([](auto& a) { a.set_max_power_watts(std::numeric_limits<double>::infinity()); }),
        "annotations.max_power_watts");
}

TEST(RoutingMessage, ListsTheAlternatives) {
    router::RouteInfo info;
    info.backend = "a";
    info.alternatives = "b, c";
    Routing routing;
    fill(routing, info);
    EXPECT_THAT(routing.alternatives(), ElementsAre("b", "c"));
    EXPECT_FALSE(routing.has_estimated_power_watts());
}

TEST(StatsMessage, SaysWhatAnAnswerTook) {
    using std::chrono::seconds;
    const TimePoint start = TimePoint() + seconds(100);
    const monitors::EnergyCharge energy{144, {}};
    codec::AnswerSummary summary;
    summary.prompt_tokens = 4;
    summary.completion_tokens = 21;
    Stats stats;
    fill(stats, energy, summary, start, start + seconds(3), start + seconds(5));
    EXPECT_EQ(stats.time_to_first_token_ms(), 3000);
    EXPECT_EQ(stats.total_time_ms(), 5000);
    EXPECT_EQ(stats.prompt_tokens(), 4U);
    EXPECT_EQ(stats.tokens_generated(), 21U);
    EXPECT_DOUBLE_EQ(stats.tokens_per_second(), 10);
    EXPECT_DOUBLE_EQ(stats.energy_wh(), 0.04) << "144 joules";
}

TEST(StatsMessage, LeavesOutWhatNobodyKnows) {
    Stats stats;
    fill(stats, std::nullopt, {}, TimePoint(), TimePoint(), TimePoint());
    EXPECT_EQ(stats.tokens_per_second(), 0);
    EXPECT_FALSE(stats.has_energy_wh());
}

}  // namespace
}  // namespace ollama_proxy::grpc_api
