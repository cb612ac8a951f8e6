#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace ollama_proxy::app {

// The daemon's JSON (wire contract, section 5) as text for a terminal. A part that the daemon does
// not offer is given as null and shown as not known.

struct StatusParts {
    const nlohmann::json& health;
    const nlohmann::json& backends;  ///< the whole reply of GET /backends
    const nlohmann::json& efficiency;
    const nlohmann::json& thermal;
};

/// `url` is where the daemon answered.
[[nodiscard]] std::string show_status(const StatusParts& parts, const std::string& url,
                                      bool colour);
[[nodiscard]] std::string show_backends(const nlohmann::json& reply, bool colour);
/// The reply of GET /v1/models.
[[nodiscard]] std::string show_models(const nlohmann::json& reply, bool colour);
/// The reply of GET or POST /efficiency: "Balanced", or "Auto, now Quiet (thermal-high-87)".
[[nodiscard]] std::string show_mode(const nlohmann::json& reply);
/// The reply of POST /explain: the choice, then a table of all candidates with their score terms or
/// what refused them.
[[nodiscard]] std::string show_explanation(const nlohmann::json& reply, bool colour);

}  // namespace ollama_proxy::app
