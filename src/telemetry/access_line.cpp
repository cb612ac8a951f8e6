#include "telemetry/access_line.hpp"

#include <algorithm>

namespace ollama_proxy::telemetry {
namespace {

std::int64_t clamped(std::uint64_t n) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(n, INT64_MAX));
}

/// `POST /v1/chat/completions 200`, the part that a person looks for. Method and path come from
/// the client: a blank in them must not move the status to another column.
std::string headline(const AccessRecord& record) {
    std::string out;
    const auto append = [&out](std::string_view part) {
        for (const char c : part) out += c == ' ' ? '+' : c;
        if (part.empty()) out += '-';
        out += ' ';
    };
    append(record.method.view());
    append(record.path.view());
    out += std::to_string(record.status);
    return out;
}

}  // namespace

void append_access_line(std::string& out, LineStyle style,
                        std::chrono::system_clock::time_point time, const AccessRecord& r) {
    const bool json = style.format == config::LogFormat::json;
    LineWriter line(out, style, config::LogLevel::info, time,
                    json ? std::string("access") : headline(r));
    if (json) {
        line.text("method", r.method.view()).text("path", r.path.view()).number("status", r.status);
    }
    const auto text = [&line](std::string_view key, std::string_view value) {
        if (!value.empty()) line.text(key, value);
    };
    text("model", r.model.view());
    text("backend", r.backend.view());
    text("reason", r.reason.view());
    text("error", r.error.view());
    line.number("ms", r.duration_ms, 1);
    if (r.first_byte_ms >= 0) line.number("first_byte_ms", r.first_byte_ms, 1);
    if (r.queue_ms > 0) line.number("queue_ms", r.queue_ms, 1);
    if (r.tokens >= 0) {
        line.number("tokens", r.tokens);
        if (r.tokens_estimated) line.flag("tokens_estimated", true);
    }
    line.number("in", clamped(r.bytes_in)).number("out", clamped(r.bytes_out));
    if (r.stream) line.flag("stream", true);
    text("client", r.client.view());
    text("id", r.request_id.view());
    line.finish();
}

}  // namespace ollama_proxy::telemetry
