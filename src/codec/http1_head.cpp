#include "codec/http1_chars.hpp"
#include "codec/http1_fields.hpp"
#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/common/ascii.hpp"

#include <algorithm>

namespace ollama_proxy::codec {
namespace {

constexpr std::size_t kMethodLimit = 32;
constexpr std::string_view kVersionPrefix = "HTTP/1.";

HeadOutcome bad(const char* why) { return {HeadState::refused, Errc::invalid_framing, why}; }

HeadOutcome too_large() {
    return {HeadState::refused, Errc::header_too_large, "header over the size limit"};
}

std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<std::size_t>(end - begin)};
}

/// "HTTP/1.0" or "HTTP/1.1" at `p`, stepped over; other versions are refused at the first byte
/// that differs.
HeadState take_version(const char*& p, const char* end, int& minor) {
    const std::string_view rest = between(p, end).substr(0, kVersionPrefix.size());
    if (rest != kVersionPrefix.substr(0, rest.size())) return HeadState::refused;
    const char* const digit = p + rest.size();
    if (digit == end) return HeadState::need_more;
    if (*digit != '0' && *digit != '1') return HeadState::refused;
    minor = *digit - '0';
    p = digit + 1;
    return HeadState::complete;
}

/// Shared by both directions: Transfer-Encoding and Content-Length may not contradict.
const char* check_framing(const FieldFacts& facts, int minor_version) {
    if (!facts.transfer_encoding) return nullptr;
    if (facts.content_length_given) return "Transfer-Encoding together with Content-Length";
    if (minor_version == 0) return "Transfer-Encoding with HTTP/1.0";
    return nullptr;
}

bool keeps_alive(const FieldFacts& facts, int minor_version) {
    if (facts.close) return false;
    return minor_version >= 1 || facts.keep_alive;
}

std::string_view find_field(const std::vector<Field>& fields, std::string_view name) {
    for (const Field& field : fields) {
        if (iequals(field.name, name)) return field.value;
    }
    return {};
}

/// The authority of an absolute-form target; null data() for the other forms.
std::string_view authority_of(std::string_view target) {
    for (const std::string_view scheme :
         {std::string_view("http://"), std::string_view("https://")}) {
        if (iequals(target.substr(0, scheme.size()), scheme)) {
            target.remove_prefix(scheme.size());
            return target.substr(0, std::min(target.find_first_of("/?#"), target.size()));
        }
    }
    return {};
}

/// Why the target and Host cannot be used, or null.
const char* check_target(const RequestHead& head, const FieldFacts& facts) {
    if (facts.hosts > 1) return "more than one Host";
    if (facts.hosts == 0 && head.minor_version >= 1) return "no Host";
    if (facts.hosts == 1 && !is_host(facts.host)) return "Host is no name or address with port";
    if (head.target.front() == '/' || head.target == "*" || head.method == "CONNECT")
        return nullptr;
    const std::string_view authority = authority_of(head.target);
    if (authority.empty()) return "malformed request target";
    // Two host names in one request: nobody could say which one an allow-list should judge.
    if (!is_host(authority)) return "malformed request target";
    if (facts.hosts == 1 && !iequals(authority, facts.host)) return "target and Host disagree";
    return nullptr;
}

HeadOutcome parse_request_line(const char*& p, const char* end, std::size_t target_limit,
                               RequestHead& out) {
    const char* const method_end = chars::skip(p, end, chars::kToken);
    const auto method_size = static_cast<std::size_t>(method_end - p);
    if (method_size > kMethodLimit) return bad("method too long");
    if (method_end == end) return {};
    if (*method_end != ' ' || method_size == 0) return bad("malformed request line");
    out.method = between(p, method_end);

    const char* const target = method_end + 1;
    const char* const target_end = chars::skip(target, end, chars::kTarget);
    if (static_cast<std::size_t>(target_end - target) > target_limit) {
        return {HeadState::refused, Errc::uri_too_long, "request target over the limit"};
    }
    if (target_end == end) return {};
    if (*target_end != ' ' || target_end == target) return bad("malformed request target");
    out.target = between(target, target_end);

    const char* q = target_end + 1;
    HeadState state = take_version(q, end, out.minor_version);
    if (state == HeadState::complete) state = take_line_end(q, end);
    if (state == HeadState::refused) return bad("malformed HTTP version or line end");
    if (state == HeadState::complete) p = q;
    return {state, Errc::invalid_framing, ""};
}

HeadOutcome parse_status_line(const char*& p, const char* end, ResponseHead& out) {
    const char* q = p;
    switch (take_version(q, end, out.minor_version)) {
        case HeadState::need_more:
            return {};
        case HeadState::refused:
            return bad("answer is no HTTP/1");
        case HeadState::complete:
            break;
    }
    if (q == end) return {};
    if (*q++ != ' ') return bad("malformed status line");
    out.status = 0;
    for (int i = 0; i < 3; ++i, ++q) {
        if (q == end) return {};
        if (*q < '0' || *q > '9') return bad("malformed status code");
        out.status = out.status * 10 + (*q - '0');
    }
    if (out.status < 100 || out.status > 599) return bad("status code out of range");
    out.reason = {};
    if (q == end) return {};
    if (*q == ' ') {
        const char* const reason_end = chars::skip_text(q + 1, end);
        out.reason = between(q + 1, reason_end);
        q = reason_end;
    }
    const HeadState state = take_line_end(q, end);
    if (state == HeadState::refused) return bad("malformed status line");
    if (state == HeadState::complete) p = q;
    return {state, Errc::invalid_framing, ""};
}

bool has_no_body(int status, std::string_view request_method) {
    return request_method == "HEAD" || status < 200 || status == 204 || status == 304;
}

HeadOutcome parse_response(std::string_view buffer, const HeadLimits& limits,
                           std::string_view request_method, ResponseHead& out) {
    out.fields.clear();
    const char* p = buffer.data();
    const char* const end = p + std::min(buffer.size(), limits.bytes);
    FieldFacts facts;
    HeadOutcome outcome = parse_status_line(p, end, out);
    if (outcome.state == HeadState::complete) {
        outcome = parse_fields(p, end, limits.fields, out.fields, facts);
    }
    if (outcome.state == HeadState::need_more && buffer.size() >= limits.bytes) return too_large();
    if (outcome.state != HeadState::complete) return outcome;
    if (const char* why = check_framing(facts, out.minor_version)) return bad(why);

    out.size = static_cast<std::size_t>(p - buffer.data());
    out.content_length = facts.content_length;
    out.keep_alive = keeps_alive(facts, out.minor_version);
    if (has_no_body(out.status, request_method)) {
        out.framing = Framing::none;
    } else if (facts.transfer_encoding) {
        out.framing = Framing::chunked;
    } else if (facts.content_length_given) {
        out.framing = Framing::length;
    } else {
        out.framing = Framing::until_close;
        out.keep_alive = false;
    }
    return outcome;
}

}  // namespace

std::string_view RequestHead::get(std::string_view name) const { return find_field(fields, name); }

std::string_view ResponseHead::get(std::string_view name) const { return find_field(fields, name); }

HeadOutcome parse_request_head(std::string_view buffer, const HeadLimits& limits,
                               RequestHead& out) {
    out.fields.clear();
    const char* p = buffer.data();
    const char* const end = p + std::min(buffer.size(), limits.bytes);
    if (p != end && *p == '\r') {
        switch (take_line_end(p, end)) {
            case HeadState::need_more:
                return buffer.size() >= limits.bytes ? too_large() : HeadOutcome{};
            case HeadState::refused:
                return bad("bare CR");
            case HeadState::complete:
                break;
        }
    }
    FieldFacts facts;
    HeadOutcome outcome = parse_request_line(p, end, limits.target, out);
    if (outcome.state == HeadState::complete) {
        outcome = parse_fields(p, end, limits.fields, out.fields, facts);
    }
    if (outcome.state == HeadState::need_more && buffer.size() >= limits.bytes) return too_large();
    if (outcome.state != HeadState::complete) return outcome;
    if (const char* why = check_framing(facts, out.minor_version)) return bad(why);
    if (const char* why = check_target(out, facts)) return bad(why);

    out.size = static_cast<std::size_t>(p - buffer.data());
    out.host = facts.host;
    out.content_length = facts.content_length;
    out.keep_alive = keeps_alive(facts, out.minor_version);
    out.expect_continue = facts.expect_continue && out.minor_version >= 1;
    out.framing = facts.transfer_encoding      ? Framing::chunked
                  : facts.content_length_given ? Framing::length
                                               : Framing::none;
    return outcome;
}

HeadOutcome parse_response_head(std::string_view buffer, const HeadLimits& limits,
                                std::string_view request_method, ResponseHead& out) {
    HeadOutcome outcome = parse_response(buffer, limits, request_method, out);
    if (outcome.state == HeadState::refused) outcome.code = Errc::bad_gateway;
    return outcome;
}

}  // namespace ollama_proxy::codec
