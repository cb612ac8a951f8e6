#include "ollama_proxy/common/ascii.hpp"
#include "ollama_proxy/router/request.hpp"

namespace ollama_proxy::router {

namespace {

constexpr std::array<std::string_view, kPriorities> kPriorityWords{"best-effort", "normal", "high",
                                                                   "critical"};

struct MediaWord {
    std::string_view word;
    MediaType type;
};
constexpr std::array kMediaWords{
    MediaWord{"realtime", MediaType::realtime},
    MediaWord{"audio", MediaType::audio},
    MediaWord{"code", MediaType::code},
    MediaWord{"image", MediaType::image},
    MediaWord{"text", MediaType::text},
    MediaWord{"batch", MediaType::batch},
    MediaWord{"interactive", MediaType::interactive},
};

}  // namespace

std::string_view to_string(Priority priority) {
    return kPriorityWords[static_cast<std::size_t>(priority)];
}

std::optional<Priority> parse_priority(std::string_view text) {
    text = trim(text);
    for (std::size_t i = 0; i < kPriorities; ++i) {
        const bool digit = text.size() == 1 && text[0] == static_cast<char>('0' + i);
        if (digit || iequals(text, kPriorityWords[i])) return static_cast<Priority>(i);
    }
    return std::nullopt;
}

std::optional<MediaType> parse_media_type(std::string_view text) {
    for (const auto& [word, type] : kMediaWords) {
        if (iequals(trim(text), word)) return type;
    }
    return std::nullopt;
}

}  // namespace ollama_proxy::router
