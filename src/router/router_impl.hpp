#pragma once

#include "ollama_proxy/common/snapshot_cell.hpp"
#include "ollama_proxy/router/router.hpp"
#include "ollama_proxy/upstream/exchange.hpp"
#include "ollama_proxy/upstream/health_checker.hpp"
#include "router/activity.hpp"
#include "router/admission.hpp"
#include "router/answer_verdict.hpp"
#include "router/facts.hpp"
#include "router/hedge_budget.hpp"
#include "router/learning.hpp"
#include "router/news_desk.hpp"
#include "router/response_stream_impl.hpp"
#include "router/retry_budget.hpp"
#include "router/sleep_gate.hpp"

#include <atomic>

namespace ollama_proxy::router {

struct Router::Impl {
    Impl(boost::asio::io_context& control, std::shared_ptr<const config::Config> config);

    /// Ranks the backends for a request at this moment. `policy`, `occupancy` and `facts` are left
    /// as they were used, for explanations.
    struct Ranking {
        std::shared_ptr<const efficiency::Policy> policy;
        std::shared_ptr<const monitors::SystemSnapshot> machine;
        std::vector<Occupancy> occupancy;
        std::vector<CandidateFacts> facts;
        Decision decision;

        /// Forgets what it said; the memory stays, and so do policy and machine: most often the
        /// next ranking needs the same.
        void clear() {
            occupancy.clear();
            facts.clear();
            decision.usable.clear();
            decision.refused.clear();
            decision.reason = Reason::none;
            decision.wait_for_target = false;
        }
    };
    void rank(const Generation& generation, const Wanted& wanted, const RoutingHints& hints,
              std::optional<std::uint32_t> target, TimePoint now, Ranking& out,
              std::vector<std::vector<Refusal>>* every_refusal = nullptr) const;

    Learning learning;
    SnapshotCell<Generation> generation;
    SnapshotCell<efficiency::Policy> policy;
    SnapshotCell<monitors::SystemSnapshot> system;
    std::optional<monitors::EnergyLedger> energy;  ///< set before the first request
    Admission admission;
    AffinityTable affinity;
    RetryBudget retries;
    HedgeBudget hedges;
    std::atomic<bool> accepting{true};
    NewsDesk news;
    SleepGate sleep;
    std::shared_ptr<Activity> activity;
    upstream::HealthChecker health;
};

/// The live backends of a configuration. A backend of `former` whose settings are the same is
/// taken over as it is; one that is the same server under other settings passes on what is known.
[[nodiscard]] std::shared_ptr<const Generation> make_generation(
    std::shared_ptr<const config::Config> config, Learning& learning,
    const Generation* former = nullptr);

/// A backend that said no to the model says so whatever its health.
[[nodiscard]] bool speaks_of_model(Refusal refusal);

/// The error for a request that nobody can take: 404, 501 or 503, naming every backend's reason.
[[nodiscard]] Error nobody_error(const Generation& generation, const Wanted& wanted,
                                 const RoutingHints& hints, const Decision& decision,
                                 std::span<const CandidateFacts> facts, TimePoint now);

}  // namespace ollama_proxy::router
