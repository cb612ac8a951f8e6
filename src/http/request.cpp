#include "http/request.hpp"

#include "ollama_proxy/common/ascii.hpp"
#include "ollama_proxy/common/request_id.hpp"

#include <algorithm>
#include <array>

namespace ollama_proxy::http {
namespace {

/// absolute-form ("http://host/path") becomes origin-form; the parser has compared the host.
std::string_view without_authority(std::string_view target) {
    const std::size_t scheme = target.find("://");
    if (target.starts_with('/') || scheme == target.npos) return target;
    const std::size_t end = target.find_first_of("/?#", scheme + 3);
    if (end == target.npos || target[end] != '/') return "/";  // a '/' of the query is no path
    return target.substr(end);
}

/// What somebody in front of us may read differently is not taken: none where it is given twice.
std::string_view only_one(const codec::RequestHead& head, std::string_view name) {
    const auto named = [&](const codec::Field& field) { return iequals(field.name, name); };
    return std::ranges::count_if(head.fields, named) == 1 ? head.get(name) : std::string_view();
}

/// The fields that are looked at, each by its first line; a null view where there is none.
struct KnownFields {
    std::string_view origin, api_key, request_id, authorization, sec_fetch_site, asked_headers,
        private_network;
};

struct KnownName {
    std::string_view name;
    std::string_view KnownFields::* slot;
};
constexpr std::array kKnownNames{
    KnownName{"origin", &KnownFields::origin},
    KnownName{"x-api-key", &KnownFields::api_key},
    KnownName{"x-request-id", &KnownFields::request_id},
    KnownName{"authorization", &KnownFields::authorization},
    KnownName{"sec-fetch-site", &KnownFields::sec_fetch_site},
    KnownName{"access-control-request-headers", &KnownFields::asked_headers},
    KnownName{"access-control-request-private-network", &KnownFields::private_network},
};

KnownFields known_fields(const codec::RequestHead& head) {
    KnownFields known;
    for (const codec::Field& field : head.fields) {
        for (const auto& [name, slot] : kKnownNames) {
            const bool first = (known.*slot).data() == nullptr;
            if (first && iequals(field.name, name)) known.*slot = field.value;
        }
    }
    return known;
}

/// A Content-Encoding that changes the body, in whichever of its lines; empty where none does.
std::string_view coding_of(const codec::RequestHead& head) {
    const auto changes = [](const codec::Field& field) {
        return iequals(field.name, "content-encoding") && !field.value.empty() &&
               !iequals(field.value, "identity");
    };
    const auto found = std::ranges::find_if(head.fields, changes);
    return found == head.fields.end() ? std::string_view() : found->value;
}

/// The memory for what most clients send is used again, more is given back.
void keep(std::string& slot, std::string_view value) {
    constexpr std::size_t kUsual = 256;
    if (slot.capacity() > kUsual) std::string().swap(slot);
    slot = value;
}

}  // namespace

void read_request(const codec::RequestHead& head, TimePoint received, Request& request) {
    request.method = head.method;
    const std::string_view target = without_authority(head.target);
    const std::size_t question = target.find('?');
    keep(request.path, target.substr(0, question));
    keep(request.query, question == target.npos ? std::string_view() : target.substr(question + 1));
    request.verb = parse_verb(head.method);
    request.route = find_route(request.path, request.verb);
    request.dialect = codec::error_dialect_of(request.path);
    request.minor_version = head.minor_version;
    request.keep_alive = head.keep_alive;
    request.expect_continue = head.expect_continue;
    request.framing = head.framing;
    request.content_length = head.content_length;
    keep(request.host, head.host);
    const KnownFields known = known_fields(head);
    request.has_origin = known.origin.data() != nullptr;
    keep(request.origin, request.has_origin ? only_one(head, "origin") : std::string_view());
    keep(request.sec_fetch_site, known.sec_fetch_site);
    keep(request.content_encoding, coding_of(head));
    keep(request.authorization, known.authorization);
    keep(request.api_key, known.api_key);
    keep(request.asked_headers, known.asked_headers);
    request.private_network = iequals(known.private_network, "true");
    if (is_valid_request_id(known.request_id)) {
        request.request_id = known.request_id;
    } else {
        make_request_id(request.request_id);
    }
    request.received = received;
}

}  // namespace ollama_proxy::http
