#include "http/request.hpp"

#include "ollama_proxy/common/ascii.hpp"
#include "ollama_proxy/common/request_id.hpp"

#include <algorithm>

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
std::string only_one(const codec::RequestHead& head, std::string_view name) {
    const auto named = [&](const codec::Field& field) { return iequals(field.name, name); };
    return std::ranges::count_if(head.fields, named) == 1 ? std::string(head.get(name))
                                                          : std::string();
}

/// A Content-Encoding that changes the body, in whichever of its lines; empty where none does.
std::string coding_of(const codec::RequestHead& head) {
    const auto changes = [](const codec::Field& field) {
        return iequals(field.name, "content-encoding") && !field.value.empty() &&
               !iequals(field.value, "identity");
    };
    const auto found = std::ranges::find_if(head.fields, changes);
    return found == head.fields.end() ? std::string() : std::string(found->value);
}

}  // namespace

Request make_request(const codec::RequestHead& head, TimePoint received) {
    Request request;
    request.method = head.method;
    const std::string_view target = without_authority(head.target);
    const std::size_t question = target.find('?');
    request.path = target.substr(0, question);
    if (question != target.npos) request.query = target.substr(question + 1);
    request.verb = parse_verb(head.method);
    request.route = find_route(request.path, request.verb);
    request.dialect = codec::error_dialect_of(request.path);
    request.minor_version = head.minor_version;
    request.keep_alive = head.keep_alive;
    request.expect_continue = head.expect_continue;
    request.framing = head.framing;
    request.content_length = head.content_length;
    request.host = head.host;
    request.has_origin = head.get("origin").data() != nullptr;
    if (request.has_origin) request.origin = only_one(head, "origin");
    request.sec_fetch_site = head.get("sec-fetch-site");
    request.content_encoding = coding_of(head);
    request.authorization = head.get("authorization");
    request.api_key = head.get("x-api-key");
    request.asked_headers = head.get("access-control-request-headers");
    request.private_network = iequals(head.get("access-control-request-private-network"), "true");
    const std::string_view id = head.get("x-request-id");
    request.request_id = is_valid_request_id(id) ? std::string(id) : make_request_id();
    request.received = received;
    return request;
}

}  // namespace ollama_proxy::http
