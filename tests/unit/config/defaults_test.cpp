// What a configuration that says nothing means: the numbers and words of the documented file.

#include "ollama_proxy/config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ollama_proxy::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

/// A struct that was made without a file, and what reading an empty file gives.
class Defaults : public testing::TestWithParam<bool> {
  protected:
    const Config config_ = GetParam() ? *load_text("", "empty.yaml", {}).config : Config{};
};

TEST_P(Defaults, OfTheServer) {
    const Server& server = config_.server;
    EXPECT_THAT(server.host, ElementsAre("127.0.0.1"));
    EXPECT_EQ(server.http_port, 8080);
    EXPECT_EQ(server.grpc_port, 50051);
    EXPECT_EQ(server.workers, 0U);
    EXPECT_FALSE(server.allow_unauthenticated);
    EXPECT_THAT(server.allowed_hosts, IsEmpty());
    EXPECT_THAT(server.allowed_origins, IsEmpty());
    EXPECT_EQ(server.shutdown_grace, 10s);
    EXPECT_FALSE(server.auth.enabled);
    EXPECT_THAT(server.auth.api_keys, IsEmpty());
    EXPECT_FALSE(server.rate_limit.enabled);
    EXPECT_EQ(server.rate_limit.rate, 10.0);
    EXPECT_EQ(server.rate_limit.burst, 20U);
}

TEST_P(Defaults, OfTheServersLimits) {
    const Limits& limits = config_.server.limits;
    EXPECT_EQ(limits.header_bytes, 16U * 1024);
    EXPECT_EQ(limits.header_fields, 100U);
    EXPECT_EQ(limits.body_bytes, 64U * 1024 * 1024);
    EXPECT_EQ(limits.connections, 4096U);
    EXPECT_EQ(limits.buffered_bytes, 256U * 1024 * 1024);
    EXPECT_EQ(limits.header_timeout, 10s);
    EXPECT_EQ(limits.body_stall, 30s);
    EXPECT_EQ(limits.idle_timeout, 75s);
    EXPECT_EQ(limits.write_stall, 60s);
}

TEST_P(Defaults, OfTheRouter) {
    const Router& router = config_.router;
    EXPECT_FALSE(router.strict_latency);
    EXPECT_TRUE(router.power_aware);
    EXPECT_TRUE(router.auto_optimize);
    EXPECT_EQ(router.default_backend, "");
    EXPECT_TRUE(router.target_fallback);
    EXPECT_TRUE(router.affinity);
    for (const auto& weight :
         {router.weights.latency, router.weights.power, router.weights.load,
          router.weights.hardware, router.weights.thermal, router.weights.warmth,
          router.weights.affinity, router.weights.error_rate}) {
        EXPECT_EQ(weight, std::nullopt);
    }
    EXPECT_FALSE(router.hedge.enabled);
    EXPECT_EQ(router.hedge.percentile, 95U);
    EXPECT_EQ(router.hedge.max_percent, 5U);
    EXPECT_EQ(router.retry.max_attempts, 2U);
    EXPECT_EQ(router.retry.budget_percent, 20U);
    EXPECT_EQ(router.retry.budget_min, 3U);
    EXPECT_THAT(router.aliases, IsEmpty());
}

TEST_P(Defaults, OfTheQueue) {
    EXPECT_EQ(config_.queue.max_size, 512U);
    EXPECT_EQ(config_.queue.timeout, 30s);
    EXPECT_EQ(config_.queue.aging, 5s);
    EXPECT_EQ(config_.queue.critical_overcommit, 1U);
    EXPECT_EQ(config_.queue.reserved_slots, 0U);
    EXPECT_FALSE(config_.queue.preempt_best_effort);
}

TEST_P(Defaults, OfHealthAndTheCircuitBreaker) {
    EXPECT_EQ(config_.health.interval, 5s);
    EXPECT_EQ(config_.health.idle_interval, 60s);
    EXPECT_EQ(config_.health.timeout, 2s);
    EXPECT_EQ(config_.health.unhealthy_threshold, 3U);
    EXPECT_EQ(config_.health.healthy_threshold, 1U);
    EXPECT_EQ(config_.circuit_breaker.consecutive_failures, 5U);
    EXPECT_EQ(config_.circuit_breaker.failure_percent, 50U);
    EXPECT_EQ(config_.circuit_breaker.min_requests, 20U);
    EXPECT_EQ(config_.circuit_breaker.window, 30s);
    EXPECT_EQ(config_.circuit_breaker.open, 5s);
    EXPECT_EQ(config_.circuit_breaker.max_open, 60s);
}

TEST_P(Defaults, OfStreamsAndWebSockets) {
    EXPECT_EQ(config_.stream.keepalive, 0ms) << "no comments unless they are asked for";
    EXPECT_EQ(config_.websocket.max_in_flight, 16U);
    EXPECT_EQ(config_.websocket.frame_bytes, 1024U * 1024);
    EXPECT_FALSE(config_.websocket.deflate);
}

TEST_P(Defaults, OfTheMachine) {
    EXPECT_TRUE(config_.monitors.enabled);
    EXPECT_EQ(config_.monitors.sysfs_root, "/sys");
    EXPECT_EQ(config_.monitors.proc_root, "/proc");
    EXPECT_EQ(config_.monitors.interval, 5s);
    EXPECT_EQ(config_.monitors.idle_interval, 30s);
    EXPECT_TRUE(config_.monitors.nvml);
    EXPECT_EQ(config_.thermal.elevated, 80);
    EXPECT_EQ(config_.thermal.high, 85);
    EXPECT_EQ(config_.thermal.critical, 90);
    EXPECT_EQ(config_.thermal.recovery, 75);
    EXPECT_FALSE(config_.thermal.configured);
}

TEST_P(Defaults, OfEfficiency) {
    const Efficiency& efficiency = config_.efficiency;
    EXPECT_EQ(to_string(efficiency.default_mode), "Balanced");
    EXPECT_FALSE(efficiency.strict);
    EXPECT_TRUE(efficiency.remember);
    EXPECT_FALSE(efficiency.quiet_hours.enabled);
    EXPECT_EQ(efficiency.quiet_hours.start_hour, 22U);
    EXPECT_EQ(efficiency.quiet_hours.end_hour, 7U);
    EXPECT_THAT(efficiency.modes, IsEmpty());
}

TEST_P(Defaults, OfTheDesktopAndTheLog) {
    EXPECT_TRUE(config_.dbus.enabled);
    EXPECT_FALSE(config_.dbus.routing_signals);
    EXPECT_TRUE(config_.notifications.enabled);
    EXPECT_TRUE(config_.notifications.mode_changes);
    EXPECT_TRUE(config_.notifications.backend_health);
    EXPECT_TRUE(config_.notifications.thermal);
    EXPECT_EQ(to_string(config_.logging.level), "info");
    EXPECT_EQ(to_string(config_.logging.format), "text");
    EXPECT_TRUE(config_.logging.access_log);
    EXPECT_TRUE(config_.metrics.enabled);
    EXPECT_THAT(config_.backends, IsEmpty());
    EXPECT_TRUE(config_.discover_local);
    EXPECT_EQ(config_.state_dir, "") << "no home directory is known here";
}

INSTANTIATE_TEST_SUITE_P(Config, Defaults, testing::Bool(), [](const auto& which) {
    return which.param ? "OfAnEmptyFile" : "OfAStruct";
});

/// The only entry of `backends:` that is an id, an endpoint and these keys.
Backend backend_of(const std::string& more) {
    const auto result =
        load_text("backends: [{ id: a, endpoint: 'http://host:1'" + more + " }]", "test.yaml", {});
    for (const Problem& problem : result.problems) ADD_FAILURE() << problem.to_string();
    return result ? result.config->backends.at(0) : Backend{};
}

TEST(BackendDefaults, OfAnEntryThatSaysOnlyWhereItIs) {
    const Backend backend = backend_of("");
    EXPECT_EQ(backend.name, "a");
    EXPECT_EQ(to_string(backend.type), "ollama");
    EXPECT_EQ(to_string(backend.hardware), "unknown");
    EXPECT_TRUE(backend.enabled);
    EXPECT_EQ(backend.api_key_env, "");
    EXPECT_EQ(backend.secret, "");
    EXPECT_FALSE(backend.forward_authorization);
    EXPECT_EQ(backend.ca_file, "");
    EXPECT_THAT(backend.headers, IsEmpty());
    EXPECT_FALSE(backend.characteristics.power_known);
    EXPECT_FALSE(backend.characteristics.latency_known);
    EXPECT_EQ(backend.characteristics, Characteristics{});
    EXPECT_EQ(backend.characteristics.priority, 0);
    EXPECT_EQ(backend.model_capability, ModelCapability{});
    EXPECT_EQ(backend.model_capability.max_model_size_gb, 0);
    EXPECT_EQ(backend.device, Device{});
}

TEST(BackendDefaults, OfItsTimeouts) {
    for (const Timeouts& timeouts : {Timeouts{}, backend_of("").timeouts}) {
        EXPECT_EQ(timeouts.connect, 2s);
        EXPECT_EQ(timeouts.first_byte, 120s);
        EXPECT_EQ(timeouts.whole, 600s);
        EXPECT_EQ(timeouts.stall, 60s);
    }
}

TEST(BackendDefaults, OfItsSlotsFollowTheTypeAndTheConcurrency) {
    const auto slots = [](const std::string& more) {
        const Backend backend = backend_of(more);
        return std::pair(backend.max_concurrency, backend.max_in_flight);
    };
    EXPECT_EQ(slots(""), std::pair(1U, 4U));
    EXPECT_EQ(slots(", type: openai"), std::pair(4U, 16U));
    EXPECT_EQ(slots(", max_concurrency: 3"), std::pair(3U, 12U));
    EXPECT_EQ(slots(", max_concurrency: 3, max_in_flight: 5"), std::pair(3U, 5U));
}

TEST(BackendDefaults, OfPowerAndLatencyFollowTheHardware) {
    struct Row {
        const char* hardware;
        double watts;
        milliseconds latency;
    };
    for (const Row& row : {Row{"npu", 3, 800ms}, Row{"igpu", 12, 400ms}, Row{"nvidia", 55, 150ms},
                           Row{"amd", 45, 200ms}, Row{"cpu", 28, 2000ms}}) {
        const auto guess = backend_of(", hardware: " + std::string(row.hardware)).characteristics;
        EXPECT_TRUE(guess.power_known) << row.hardware;
        EXPECT_EQ(guess.power_watts, row.watts) << row.hardware;
        EXPECT_TRUE(guess.latency_known) << row.hardware;
        EXPECT_EQ(guess.avg_latency, row.latency) << row.hardware;
    }
    EXPECT_FALSE(backend_of(", hardware: cloud").characteristics.power_known);
    EXPECT_FALSE(backend_of(", hardware: cloud").characteristics.latency_known);
}

TEST(StateDirDefault, IsTheUsersFolderForState) {
    const auto state_dir = [](std::map<std::string, std::string> variables) {
        return load_default({std::move(variables)}).config->state_dir;
    };
    EXPECT_EQ(state_dir({{"XDG_STATE_HOME", "/x/state"}, {"HOME", "/home/me"}}),
              "/x/state/ollama-proxy");
    EXPECT_EQ(state_dir({{"XDG_STATE_HOME", "/x/state"}}), "/x/state/ollama-proxy");
    EXPECT_EQ(state_dir({{"XDG_STATE_HOME", ""}, {"HOME", "/home/me"}}),
              "/home/me/.local/state/ollama-proxy");
    EXPECT_EQ(state_dir({}), "");
}

}  // namespace
}  // namespace ollama_proxy::config
