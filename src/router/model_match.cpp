#include "router/model_match.hpp"

#include "ollama_proxy/common/ascii.hpp"
#include "router/swap_cost.hpp"

#include <algorithm>

namespace ollama_proxy::router {

namespace {

using config::BackendType;

constexpr std::string_view kLatest = "latest";

struct OllamaName {
    std::string_view base;
    std::string_view tag = kLatest;
    bool tag_written = false;
};

/// The tag begins at the last colon after the last slash: a registry may have a port.
OllamaName split(std::string_view model) {
    const std::size_t slash = model.rfind('/');
    const std::size_t colon = model.rfind(':');
    const bool tagged =
        colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
    if (!tagged) return {model};
    return {model.substr(0, colon), model.substr(colon + 1), true};
}

char folded(char c, bool ignore_case) { return ignore_case ? ascii_lower(c) : c; }

/// A text in two parts, so that `name` + `:latest` needs no string of its own.
struct Joined {
    std::string_view head;
    std::string_view tail;
    [[nodiscard]] std::size_t size() const { return head.size() + tail.size(); }
    [[nodiscard]] char at(std::size_t i) const {
        return i < head.size() ? head[i] : tail[i - head.size()];
    }
};

/// The usual two-pointer match: on a mismatch the last `*` takes one character more.
bool glob(std::string_view pattern, const Joined& text, bool ignore_case) {
    constexpr std::size_t kNoStar = std::string_view::npos;
    std::size_t p = 0;
    std::size_t star = kNoStar;
    std::size_t star_end = 0;
    for (std::size_t t = 0; t < text.size();) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            star_end = t;
        } else if (p < pattern.size() &&
                   (pattern[p] == '?' ||
                    folded(pattern[p], ignore_case) == folded(text.at(t), ignore_case))) {
            ++p;
            ++t;
        } else if (star != kNoStar) {
            p = star + 1;
            t = ++star_end;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool any_covers(BackendType type, const std::vector<std::string>& patterns,
                std::string_view model) {
    return std::ranges::any_of(
        patterns, [&](const std::string& pattern) { return pattern_covers(type, pattern, model); });
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text, bool ignore_case) {
    return glob(pattern, {text, {}}, ignore_case);
}

std::string canonical_model(BackendType type, std::string_view model) {
    if (type == BackendType::openai || model.empty()) return std::string(model);
    std::string name = ascii_lower(model);
    if (!split(model).tag_written) name.append(":").append(kLatest);
    return name;
}

bool same_model(BackendType type, std::string_view a, std::string_view b) {
    if (type == BackendType::openai) return a == b;
    const OllamaName left = split(a);
    const OllamaName right = split(b);
    return iequals(left.base, right.base) && iequals(left.tag, right.tag);
}

bool pattern_covers(BackendType type, std::string_view pattern, std::string_view model) {
    if (type == BackendType::openai) return glob_match(pattern, model);
    if (glob_match(pattern, model, true)) return true;
    const OllamaName name = split(model);
    if (!name.tag_written) return glob(pattern, {model, ":latest"}, true);
    return iequals(name.tag, kLatest) && glob_match(pattern, name.base, true);
}

Refusal model_refusal(BackendType type, const config::ModelCapability& capability,
                      std::string_view model, const ModelKnowledge& knowledge) {
    if (model.empty()) return Refusal::none;
    if (!knowledge.listed && (knowledge.catalog_known || knowledge.listed_elsewhere)) {
        return Refusal::model_missing;
    }
    const auto& supported = capability.supported_model_patterns;
    if (any_covers(type, capability.excluded_patterns, model) ||
        (!supported.empty() && !any_covers(type, supported, model))) {
        return Refusal::model_pattern;
    }
    const double limit = capability.max_model_size_gb * kBytesPerGb;
    if (limit > 0 && knowledge.size_bytes && static_cast<double>(*knowledge.size_bytes) > limit) {
        return Refusal::model_size;
    }
    return Refusal::none;
}

}  // namespace ollama_proxy::router
