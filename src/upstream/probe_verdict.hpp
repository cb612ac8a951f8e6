#pragma once

#include "ollama_proxy/upstream/fetch.hpp"
#include "upstream/catalog_parse.hpp"
#include "upstream/probe_schedule.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::upstream {

/// The path that tells whether a backend of this type is there.
[[nodiscard]] std::string_view probe_target(config::BackendType type);

/// What an answer to `probe_target` means.
struct ProbeVerdict {
    ProbeResult result = ProbeResult::failed;
    std::string reason;                        ///< a sentence for people, also when it is well
    std::string version;                       ///< ollama
    std::optional<std::vector<Model>> models;  ///< openai: the answer is the catalog
};
[[nodiscard]] ProbeVerdict judge_probe(config::BackendType type, const Result<FetchReply>& reply);

}  // namespace ollama_proxy::upstream
