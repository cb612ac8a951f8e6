#include "http/origin.hpp"

#include "ollama_proxy/access/gate.hpp"
#include "ollama_proxy/common/ascii.hpp"

#include <algorithm>

namespace ollama_proxy::http {

std::string echoed_origin(std::string_view origin, const config::Server& server) {
    if (origin.empty() || !access::origin_allowed(origin, server)) return {};
    return std::string(origin);
}

std::string_view origin_in(std::string_view bytes) {
    constexpr std::string_view kName = "origin:";
    std::string_view found;
    while (!bytes.empty()) {
        std::string_view line = bytes.substr(0, bytes.find('\n'));
        bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) break;  // what follows is the body
        if (line.size() < kName.size() || !iequals(line.substr(0, kName.size()), kName)) continue;
        if (!found.empty()) return {};
        found = trim(line.substr(kName.size()));
    }
    // it goes into a header of ours
    const bool printable = std::ranges::all_of(found, [](char c) { return c > ' ' && c <= '~'; });
    return printable ? found : std::string_view();
}

}  // namespace ollama_proxy::http
