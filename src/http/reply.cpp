#include "http/reply.hpp"

#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/common/ascii.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <ctime>

namespace ollama_proxy::http {
using codec::append_field;

namespace {

constexpr std::string_view kExposed =
    "X-Backend-Used, X-Estimated-Latency-Ms, X-Estimated-Power-W, X-Routing-Reason, "
    "X-Alternatives, X-Queue-Depth, X-Queue-Wait-Ms, X-Request-ID, X-Efficiency-Mode, "
    "X-Energy-Joules, Retry-After";

void add_count(std::string& out, std::string_view name, std::uint64_t count) {
    char text[20];
    const char* const end = std::to_chars(text, text + sizeof text, count).ptr;
    append_field(out, name, {text, static_cast<std::size_t>(end - text)});
}

/// A line with a number of at most three digits behind the point, rounded. Written as a whole
/// number of units, which takes a tenth of the time of a double.
void add_number(std::string& out, std::string_view name, double value, int digits) {
    constexpr double kScales[] = {1, 10, 100, 1000};
    const double scaled = value * kScales[digits];
    char text[48];
    char* const limit = text + sizeof text;
    if (!(std::abs(scaled) < 1e15)) {
        const auto [end, ec] = std::to_chars(text, limit, value, std::chars_format::fixed, digits);
        if (ec == std::errc())
            append_field(out, name, {text, static_cast<std::size_t>(end - text)});
        return;
    }
    const std::int64_t whole = std::llround(scaled);
    const std::uint64_t size = static_cast<std::uint64_t>(std::abs(whole));
    const auto scale = static_cast<std::uint64_t>(kScales[digits]);
    char* at = text;
    if (whole < 0) *at++ = '-';
    at = std::to_chars(at, limit, size / scale).ptr;
    if (digits > 0) {
        *at++ = '.';
        std::uint64_t rest = size % scale;
        for (std::uint64_t unit = scale / 10; unit > 0; unit /= 10) {
            *at++ = static_cast<char>('0' + rest / unit);
            rest %= unit;
        }
    }
    append_field(out, name, {text, static_cast<std::size_t>(at - text)});
}

}  // namespace

Reply json_reply(int status, std::string body) {
    return {status, "application/json", std::move(body), {}};
}

Reply text_reply(int status, std::string body) {
    return {status, "text/plain; charset=utf-8", std::move(body), {}};
}

Reply error_reply(codec::ErrorDialect dialect, const Error& error) {
    Reply reply = json_reply(codec::status_of(error.code), codec::error_body(dialect, error));
    if (error.retry_after_s > 0) {
        append_field(reply.fields, "Retry-After", std::to_string(error.retry_after_s));
    } else if (reply.status == 429 || reply.status == 503) {
        append_field(reply.fields, "Retry-After", "1");
    }
    if (reply.status == 401) append_field(reply.fields, "WWW-Authenticate", "Bearer");
    return reply;
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 206:
            return "Partial Content";
        case 301:
            return "Moved Permanently";
        case 302:
            return "Found";
        case 304:
            return "Not Modified";
        case 307:
            return "Temporary Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 422:
            return "Unprocessable Content";
        case 426:
            return "Upgrade Required";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        default:
            return "Status";
    }
}

void append_common(std::string& out, const CommonFields& common) {
    append_field(out, "X-Request-ID", common.request_id);
    out.append("X-Content-Type-Options: nosniff\r\nVary: Origin\r\n");
    if (common.origin.empty()) return;
    append_field(out, "Access-Control-Allow-Origin", common.origin);
    append_field(out, "Access-Control-Expose-Headers", kExposed);
}

void append_routing(std::string& out, const router::RouteInfo& info) {
    if (!info.decided) return;
    append_field(out, "X-Backend-Used", info.backend);
    if (info.estimated_latency_ms > 0) {  // 0: not known, or nothing that has a first token
        add_number(out, "X-Estimated-Latency-Ms", info.estimated_latency_ms, 0);
    }
    if (info.estimated_watts) {
        add_number(out, "X-Estimated-Power-W", *info.estimated_watts, 1);
    }
    append_field(out, "X-Routing-Reason", info.reason);
    if (!info.alternatives.empty()) append_field(out, "X-Alternatives", info.alternatives);
    add_count(out, "X-Queue-Depth", info.queue_depth);
    add_number(out, "X-Queue-Wait-Ms", info.queue_wait_ms, 0);
    append_field(out, "X-Efficiency-Mode", info.mode);
}

void append_length(std::string& out, std::uint64_t bytes) {
    add_count(out, "Content-Length", bytes);
}

void append_energy(std::string& out, const std::optional<monitors::EnergyCharge>& charge) {
    if (charge) add_number(out, "X-Energy-Joules", charge->joules, 3);
}

void append_preflight(std::string& out, std::string_view allow, std::string_view asked_headers,
                      bool private_network) {
    append_field(out, "Access-Control-Allow-Methods", allow);
    if (!asked_headers.empty()) append_field(out, "Access-Control-Allow-Headers", asked_headers);
    append_field(out, "Access-Control-Max-Age", "7200");
    if (private_network) append_field(out, "Access-Control-Allow-Private-Network", "true");
}

void append_date(std::string& out) {
    thread_local std::time_t shown = 0;
    thread_local char text[48];
    thread_local std::size_t size = 0;
    const std::time_t now = std::time(nullptr);
    if (now != shown || size == 0) {
        std::tm parts{};
        gmtime_r(&now, &parts);
        size = std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
        shown = now;
    }
    out.append(text, size);
}

bool has_field(std::string_view fields, std::string_view name) {
    while (!fields.empty()) {
        const std::size_t end = fields.find("\r\n");
        const std::string_view line = fields.substr(0, end);
        if (line.size() > name.size() && line[name.size()] == ':' &&
            iequals(line.substr(0, name.size()), name)) {
            return true;
        }
        if (end == fields.npos) break;
        fields.remove_prefix(end + 2);
    }
    return false;
}

}  // namespace ollama_proxy::http
