#pragma once

#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/router/decision.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::router {

struct ExplainedRefusal {
    Refusal refusal = Refusal::none;
    std::string why;  ///< in words
};

/// One backend in the explanation of a decision.
struct ExplainedCandidate {
    std::string backend;
    Refusal refusal = Refusal::none;         ///< the first that refused it
    std::string why;                         ///< in words, empty when it could serve
    std::vector<ExplainedRefusal> refusals;  ///< of one that was refused: all that speak against it
    double score = 0;                      ///< also of one that was refused: what it would have had
    std::array<double, kScorers> terms{};  ///< value x weight, indexed by Scorer
    double estimated_latency_ms = 0;       ///< 0 = not known
    std::optional<double> estimated_watts;
    double occupancy = 0;  ///< weighted, 1 = all slots in use by normal requests
    bool model_loaded = false;
};

/// What a request would be decided to, and why; plain values at one moment.
struct Explanation {
    std::string model;              ///< after aliases
    std::string route;              ///< the route as which it was judged
    std::string backend;            ///< the choice, empty when nobody can serve
    std::string reason;             ///< as in X-Routing-Reason
    std::string mode;               ///< effective mode
    bool waits_for_target = false;  ///< full or not, it takes the named backend alone
    bool waits_for_mode = false;    ///< as many requests run as the mode allows at once
    Weights weights{};
    std::vector<ExplainedCandidate> candidates;  ///< usable ones, best first, then the refused
    std::optional<Error> error;  ///< what the request would be answered when nobody can serve
};

}  // namespace ollama_proxy::router
