#include "router/progress_lines.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace ollama_proxy::router {

void ProgressLines::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t end = std::min(bytes.find('\n'), bytes.size());
        const std::string_view part = bytes.substr(0, end);
        if (!mid_line_ && !part.empty()) line_.clear();
        line_.append(part.substr(0, kMaxLine - std::min(kMaxLine, line_.size())));
        mid_line_ = end == bytes.size();
        bytes.remove_prefix(mid_line_ ? end : end + 1);
    }
}

bool ProgressLines::complete() const {
    const auto said = nlohmann::json::parse(line_, nullptr, false);
    if (!said.is_object()) return false;
    const auto is = [&](const char* name, const nlohmann::json& value) {
        const auto found = said.find(name);
        return found != said.end() && *found == value;
    };
    return said.contains("error") || is("status", "success") || is("done", true);
}

}  // namespace ollama_proxy::router
