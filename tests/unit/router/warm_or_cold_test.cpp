#include "router/warm_or_cold.hpp"

#include "reference_machine.hpp"
#include "router/scorers.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ollama_proxy::router {
namespace {

/// Two backends alike but for the model: the first has it loaded and is full, the other is free.
struct Row {
    config::Mode mode;
    double warm_ms;  ///< time to first token of both once loaded
    double hold_ms;  ///< wait for a slot at the warm one
    double load_ms;  ///< what loading takes at the cold one
    bool waits;
};

class WarmAndFullAgainstColdAndFree : public testing::TestWithParam<Row> {
  protected:
    WarmAndFullAgainstColdAndFree() {
        const Row& row = GetParam();
        facts_ = {backend("warm", config::Hardware::npu, 3, row.warm_ms, 0),
                  backend("cold", config::Hardware::npu, 3, row.warm_ms + row.load_ms, 0)};
        facts_[0].warm = true;
        facts_[0].occupancy = 1;
        facts_[1].cold = true;
        facts_[1].load_ms = row.load_ms;
        expected_ = std::chrono::duration_cast<Clock::duration>(
            std::chrono::duration<double, std::milli>(row.hold_ms));
    }
    [[nodiscard]] bool waits(std::optional<Clock::duration> expected, Clock::duration waited = {}) {
        const Decision decision = decide_for({}, facts_, GetParam().mode);
        const auto standing = [&](std::uint32_t index) {
            const auto& list = decision.usable;
            return Standing{*std::ranges::find(list, index, &RankedCandidate::index),
                            facts_[index]};
        };
        return waiting_beats_loading(standing(1), standing(0), expected, waited);
    }

    std::vector<CandidateFacts> facts_;
    Clock::duration expected_{};
};

TEST_P(WarmAndFullAgainstColdAndFree, TheFasterServes) {
    EXPECT_EQ(waits(expected_), GetParam().waits);
}

TEST_P(WarmAndFullAgainstColdAndFree, WhatIsNotKnownOrTurnedOutWrongIsNotWaitedFor) {
    EXPECT_FALSE(waits(std::nullopt));
    EXPECT_FALSE(waits(expected_, expected_ * 3));
    facts_[1].load_ms.reset();
    EXPECT_FALSE(waits(expected_)) << "nobody knows what loading takes";
}

TEST_P(WarmAndFullAgainstColdAndFree, OneThatWouldNotBeChosenAnywayIsNotWaitedFor) {
    facts_[0].throttled = true;
    EXPECT_FALSE(waits(expected_));
}

using config::Mode;
INSTANTIATE_TEST_SUITE_P(Modes, WarmAndFullAgainstColdAndFree,
                         testing::Values(Row{Mode::balanced, 400, 1000, 10000, true},
                                         Row{Mode::balanced, 400, 9900, 10000, true},
                                         Row{Mode::balanced, 400, 10100, 10000, false},
                                         Row{Mode::balanced, 400, 10000, 1000, false},
                                         Row{Mode::performance, 150, 500, 2000, true},
                                         Row{Mode::performance, 150, 2500, 2000, false},
                                         Row{Mode::efficiency, 800, 100, 300, true},
                                         Row{Mode::efficiency, 800, 400, 300, false},
                                         Row{Mode::ultra_efficiency, 800, 100, 9000, true}));

}  // namespace
}  // namespace ollama_proxy::router
