#include "grpc/gate.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace ollama_proxy::grpc_api {
namespace {

/// What HPACK counts for an entry besides its bytes (RFC 7541, 4.1).
constexpr std::size_t kEntryOverhead = 32;

/// What a line of HTTP/1 may hold.
bool is_field_text(std::string_view text) {
    return std::ranges::all_of(text, [](unsigned char c) {  //
        return c == '\t' || (c >= 0x20 && c != 0x7f);
    });
}

bool is_address(std::string_view host) {
    boost::system::error_code error;
    (void)boost::asio::ip::make_address(std::string(host), error);
    return !error;
}

}  // namespace

std::string_view CallFacts::get(std::string_view name) const {
    const auto found = std::ranges::find(metadata, name, [](const auto& entry) {  //
        return entry.first;
    });
    return found == metadata.end() ? std::string_view() : found->second;
}

std::string peer_address(std::string_view peer) {
    const std::size_t scheme = peer.find(':');
    std::string_view rest = scheme == peer.npos ? peer : peer.substr(scheme + 1);
    rest = rest.substr(0, std::min(rest.rfind(':'), rest.size()));
    std::string out;
    for (std::size_t i = 0; i < rest.size(); ++i) {
        const std::string_view escape = rest.substr(i, 3);
        if (escape == "%5B" || escape == "%5D") {
            i += 2;  // the brackets around an IPv6 address
        } else if (rest[i] != '[' && rest[i] != ']') {
            out += rest[i];
        }
    }
    return out;
}

Result<std::string> check_call(const CallFacts& facts, access::Permission wanted,
                               const config::Server& server, access::ClientLimits& limits,
                               TimePoint now) {
    std::size_t bytes = 0;
    for (const auto& [name, value] : facts.metadata) {
        bytes += name.size() + value.size() + kEntryOverhead;
    }
    if (bytes > server.limits.header_bytes || facts.metadata.size() > server.limits.header_fields) {
        return make_error(Errc::header_too_large,
                          "the metadata is larger than server.limits.header_bytes or has more "
                          "entries than server.limits.header_fields");
    }
    // a backend may be sent it as it is, and a line end would begin a field of the client's choice
    if (!is_field_text(facts.get("authorization"))) {
        return make_error(Errc::invalid_request, "the authorization holds control bytes",
                          "authorization");
    }
    access::BrowserFacts browser;
    browser.host = facts.authority;
    browser.origin = facts.get("origin");
    browser.has_origin = browser.origin.data() != nullptr;
    browser.sec_fetch_site = facts.get("sec-fetch-site");
    // an address cannot be rebound to another machine, only a name can
    const std::string_view host = access::host_without_port(facts.authority);
    if (is_address(host)) browser.local_address = host;
    if (auto error = access::check_browser(browser, server)) return std::move(*error);
    const std::string address = peer_address(facts.peer);
    return access::admit(access::bearer_of(facts.get("authorization")), address, wanted, server,
                         limits, now);
}

}  // namespace ollama_proxy::grpc_api
