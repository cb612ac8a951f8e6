#include "http/hints.hpp"

#include "ollama_proxy/common/ascii.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace ollama_proxy::http {
namespace {

using router::RoutingHints;

Error bad_value(std::string_view header, std::string_view expected) {
    return make_error(Errc::invalid_request,
                      std::string(header) + " must be " + std::string(expected),
                      std::string(header));
}

std::optional<bool> parse_bool(std::string_view text) {
    for (std::string_view yes : {"true", "1", "yes", "on"}) {
        if (iequals(text, yes)) return true;
    }
    for (std::string_view no : {"false", "0", "no", "off"}) {
        if (iequals(text, no)) return false;
    }
    return std::nullopt;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

using Apply = std::optional<Error> (*)(std::string_view name, std::string_view value,
                                       RoutingHints& hints);

std::optional<Error> set_bool(std::string_view name, std::string_view value, bool& out) {
    const auto parsed = parse_bool(value);
    if (!parsed) return bad_value(name, "true or false");
    out = *parsed;
    return std::nullopt;
}

struct HintHeader {
    std::string_view name;
    Apply apply;
};

constexpr std::array kHints{
    HintHeader{"X-Target-Backend",
               [](std::string_view, std::string_view value, RoutingHints& hints) {
                   hints.target = value;
                   return std::optional<Error>{};
               }},
    HintHeader{"X-Latency-Critical",
               [](std::string_view name, std::string_view value, RoutingHints& hints) {
                   return set_bool(name, value, hints.latency_critical);
               }},
    HintHeader{"X-Power-Efficient",
               [](std::string_view name, std::string_view value, RoutingHints& hints) {
                   return set_bool(name, value, hints.power_efficient);
               }},
    HintHeader{"X-Max-Latency-Ms",
               [](std::string_view name, std::string_view value, RoutingHints& hints) {
                   hints.max_latency_ms = parse_number<int>(value);
                   const bool good = hints.max_latency_ms.value_or(0) > 0;
                   return good ? std::nullopt
                               : std::optional(bad_value(name, "a whole number above 0"));
               }},
    HintHeader{"X-Max-Power-Watts",
               [](std::string_view name, std::string_view value, RoutingHints& hints) {
                   hints.max_power_watts = parse_number<double>(value);
                   const double watts = hints.max_power_watts.value_or(0);
                   return watts > 0 && std::isfinite(watts)
                              ? std::nullopt
                              : std::optional(bad_value(name, "a number above 0"));
               }},
    HintHeader{"X-Priority",
               [](std::string_view name, std::string_view value, RoutingHints& hints) {
                   const auto priority = router::parse_priority(value);
                   if (!priority) {
                       return std::optional(
                           bad_value(name, "best-effort, normal, high or critical (or 0 to 3)"));
                   }
                   hints.priority = *priority;
                   return std::optional<Error>{};
               }},
    HintHeader{"X-Media-Type",
               [](std::string_view name, std::string_view value, RoutingHints& hints) {
                   const auto type = router::parse_media_type(value);
                   if (!type) {
                       return std::optional(bad_value(
                           name, "realtime, audio, code, image, text, batch or interactive"));
                   }
                   hints.media_type = *type;
                   return std::optional<Error>{};
               }},
    HintHeader{"X-Session-ID",
               [](std::string_view, std::string_view value, RoutingHints& hints) {
                   hints.session_id = value.substr(0, 256);
                   return std::optional<Error>{};
               }},
};

constexpr std::array<std::string_view, 4> kForwarded{"content-type", "accept", "user-agent",
                                                     "accept-language"};
constexpr std::array<std::string_view, 3> kForwardedPrefixes{"openai-", "anthropic-",
                                                             "x-stainless-"};

bool starts_with_any_case(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

bool is_forwarded(std::string_view name) {
    return std::ranges::any_of(kForwarded, [&](auto known) { return iequals(name, known); }) ||
           std::ranges::any_of(kForwardedPrefixes,
                               [&](auto prefix) { return starts_with_any_case(name, prefix); });
}

}  // namespace

Result<RoutingHints> parse_hints(const codec::RequestHead& head) {
    RoutingHints hints;
    for (const codec::Field& field : head.fields) {
        if (field.name.size() < 3 || ascii_lower(field.name[0]) != 'x') continue;
        if (auto error = set_hint(field.name, {}, field.value, hints)) return std::move(*error);
    }
    return hints;
}

std::optional<Error> set_hint(std::string_view header, std::string_view name,
                              std::string_view value, RoutingHints& hints) {
    for (const HintHeader& hint : kHints) {
        if (!iequals(header, hint.name)) continue;
        return hint.apply(name.empty() ? hint.name : name, value, hints);
    }
    return std::nullopt;
}

std::string forwarded_fields(const codec::RequestHead& head) {
    std::string out;
    out.reserve(256);
    for (const codec::Field& field : head.fields) {
        if (!is_forwarded(field.name)) continue;
        codec::append_field(out, field.name, field.value);
    }
    return out;
}

}  // namespace ollama_proxy::http
