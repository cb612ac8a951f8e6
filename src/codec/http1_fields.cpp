#include "codec/http1_fields.hpp"

#include "codec/http1_chars.hpp"
#include "ollama_proxy/common/ascii.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <limits>

namespace ollama_proxy::codec {
namespace {

HeadOutcome bad(const char* why) { return {HeadState::refused, Errc::invalid_framing, why}; }

bool parse_length(std::string_view text, std::uint64_t& length) {
    // Signed 64 bits: everyone who adds to a length later is then safe from wrapping.
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (text.empty()) return false;
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (value > (kMax - digit) / 10) return false;
        value = value * 10 + digit;
    }
    length = value;
    return true;
}

void read_connection(std::string_view list, FieldFacts& facts) {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        const std::string_view token = trim(list.substr(0, comma));
        if (iequals(token, "close")) facts.close = true;
        if (iequals(token, "keep-alive")) facts.keep_alive = true;
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
}

/// Looks at the fields that decide framing; returns why the head must be refused, or null.
const char* note_field(const Field& field, FieldFacts& facts) {
    switch (field.name.size()) {
        case 4:
            if (iequals(field.name, "host")) {
                ++facts.hosts;
                facts.host = field.value;
            }
            break;
        case 6:
            if (iequals(field.name, "expect") && iequals(field.value, "100-continue")) {
                facts.expect_continue = true;
            }
            break;
        case 10:
            if (iequals(field.name, "connection")) read_connection(field.value, facts);
            break;
        case 14:
            if (iequals(field.name, "content-length")) {
                if (facts.content_length_given) return "repeated Content-Length";
                facts.content_length_given = true;
                if (!parse_length(field.value, facts.content_length)) {
                    return "Content-Length is no plain decimal number";
                }
            }
            break;
        case 17:
            if (iequals(field.name, "transfer-encoding")) {
                if (facts.transfer_encoding) return "repeated Transfer-Encoding";
                facts.transfer_encoding = true;
                if (!iequals(field.value, "chunked")) return "Transfer-Encoding other than chunked";
            }
            break;
        default:
            break;
    }
    return nullptr;
}

}  // namespace

HeadState take_line_end(const char*& p, const char* end) {
    if (p == end) return HeadState::need_more;
    if (*p != '\r') return HeadState::refused;
    if (p + 1 == end) return HeadState::need_more;
    if (p[1] != '\n') return HeadState::refused;
    p += 2;
    return HeadState::complete;
}

HeadOutcome parse_fields(const char*& p, const char* end, std::size_t max_fields,
                         std::vector<Field>& fields, FieldFacts& facts) {
    for (;;) {
        if (p == end) return {};
        if (*p == '\r') {
            const HeadState state = take_line_end(p, end);
            if (state == HeadState::refused) return bad("bare CR");
            return {state, Errc::invalid_framing, ""};
        }
        if (*p == ' ' || *p == '\t') return bad("folded header line");
        if (fields.size() >= max_fields) {
            return {HeadState::refused, Errc::header_too_large, "too many header fields"};
        }
        const char* const name_end = chars::skip(p, end, chars::kToken);
        if (name_end == end) return {};
        if (*name_end != ':' || name_end == p) return bad("malformed header name");

        const char* const value_begin = name_end + 1;
        const char* const value_end = chars::skip_text(value_begin, end);
        const char* next = value_end;
        switch (take_line_end(next, end)) {
            case HeadState::need_more:
                return {};
            case HeadState::refused:
                return bad("control byte or bare line end in a header value");
            case HeadState::complete:
                break;
        }
        Field& field = fields.emplace_back();
        field.name = {p, static_cast<std::size_t>(name_end - p)};
        field.value = trim({value_begin, static_cast<std::size_t>(value_end - value_begin)});
        if (const char* why = note_field(field, facts)) return bad(why);
        p = next;
    }
}

bool is_host(std::string_view host) {
    std::string_view port;
    if (!host.empty() && host.front() == '[') {
        const std::size_t close = host.find(']');
        if (close == std::string_view::npos) return false;
        char address[INET6_ADDRSTRLEN] = {};
        if (close - 1 >= sizeof address) return false;
        host.copy(address, close - 1, 1);
        in6_addr parsed{};
        if (inet_pton(AF_INET6, address, &parsed) != 1) return false;
        port = host.substr(close + 1);
    } else {
        const std::size_t name_size = std::min(host.find(':'), host.size());
        if (name_size == 0 || name_size > 255) return false;
        const char* const name_end = host.data() + name_size;
        if (chars::skip(host.data(), name_end, chars::kHost) != name_end) return false;
        port = host.substr(name_size);
    }
    if (port.empty()) return true;
    std::uint64_t number = 0;
    return port.front() == ':' && port.size() <= 6 && parse_length(port.substr(1), number) &&
           number <= 65535;
}

}  // namespace ollama_proxy::codec
