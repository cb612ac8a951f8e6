#include "upstream/answer_head.hpp"

#include "ollama_proxy/common/ascii.hpp"

#include <algorithm>
#include <array>

namespace ollama_proxy::upstream {
namespace {

constexpr std::array<std::string_view, 28> kDropped{
    // hop by hop, and framing that is made anew
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "te", "trailer",
    "transfer-encoding", "upgrade", "content-length",
    // the backend's origin is not ours
    "set-cookie", "set-cookie2", "server", "strict-transport-security", "clear-site-data",
    "alt-svc", "x-content-type-options", "vary",
    // ours: a proxy behind this proxy must not double them
    "x-backend-used", "x-estimated-latency-ms", "x-estimated-power-w", "x-routing-reason",
    "x-alternatives", "x-queue-depth", "x-queue-wait-ms", "x-request-id", "x-efficiency-mode",
    "x-energy-joules", "x-accel-buffering"};

/// The same, so that a name is compared only with those of its length.
constexpr auto kDroppedBySize = [] {
    auto sorted = kDropped;
    std::ranges::sort(sorted, {}, &std::string_view::size);
    return sorted;
}();

constexpr std::size_t kUsualFields = 192;

bool starts_with_any_case(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

bool is_dropped(std::string_view name) {
    const auto as_long =
        std::ranges::equal_range(kDroppedBySize, name.size(), {}, &std::string_view::size);
    return std::ranges::any_of(as_long, [&](auto dropped) { return iequals(name, dropped); }) ||
           starts_with_any_case(name, "access-control-");
}

/// `Connection: close, x-private` makes x-private hop-by-hop too.
bool is_named_by(std::string_view connection, std::string_view name) {
    while (!connection.empty()) {
        const std::size_t comma = connection.find(',');
        if (iequals(trim(connection.substr(0, comma)), name)) return true;
        if (comma == std::string_view::npos) break;
        connection.remove_prefix(comma + 1);
    }
    return false;
}

BodyKind kind_of(std::string_view content_type) {
    const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
    if (iequals(type, "application/json")) return BodyKind::json;
    for (std::string_view events :
         {"text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl"}) {
        if (iequals(type, events)) return BodyKind::events;
    }
    return BodyKind::other;
}

}  // namespace

AnswerHead reduce_head(const codec::ResponseHead& head) {
    AnswerHead out;
    out.status = head.status;
    out.has_body = head.framing != codec::Framing::none;
    if (head.framing == codec::Framing::length) out.length = head.content_length;
    const std::string_view connection = head.get("connection");
    out.fields.reserve(kUsualFields);
    for (const codec::Field& field : head.fields) {
        if (is_dropped(field.name) || is_named_by(connection, field.name)) continue;
        codec::append_field(out.fields, field.name, field.value);
    }
    out.kind = kind_of(head.get("content-type"));
    out.retry_after = head.get("retry-after");
    const std::string_view encoding = head.get("content-encoding");
    out.encoded = !encoding.empty() && !iequals(encoding, "identity");
    return out;
}

}  // namespace ollama_proxy::upstream
