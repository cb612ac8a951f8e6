#include "ollama_proxy/access/gate.hpp"

#include "ollama_proxy/common/ascii.hpp"

#include <boost/asio/ip/address.hpp>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

namespace ollama_proxy::access {
namespace {

constexpr std::array<std::string_view, 5> kDesktopSchemes{"app://", "file://", "tauri://",
                                                          "vscode-webview://", "vscode-file://"};

bool grants(const config::Permissions& permissions, Permission wanted) {
    switch (wanted) {
        case Permission::none:
            return true;
        case Permission::inference:
            return permissions.inference;
        case Permission::read:
            return permissions.read;
        case Permission::admin:
            return permissions.admin;
    }
    return false;
}

std::string_view word(Permission permission) {
    switch (permission) {
        case Permission::inference:
            return "inference";
        case Permission::read:
            return "read";
        case Permission::admin:
            return "admin";
        case Permission::none:
            break;
    }
    return "none";
}

/// HOST or HOST:PORT with nothing else in it: "localhost:80@evil.example" has a loopback in front
/// of what counts.
bool is_plain_authority(std::string_view text) {
    std::size_t host_end = std::min(text.find(':'), text.size());
    if (text.starts_with('[')) {
        host_end = text.find(']');
        if (host_end == text.npos) return false;
        ++host_end;
    }
    const std::string_view port = text.substr(host_end);
    const bool good_port =
        port.empty() ||
        (port.size() > 1 && port[0] == ':' &&
         std::ranges::all_of(port.substr(1), [](char c) { return c >= '0' && c <= '9'; }));
    return good_port && text.find_first_of("@/\\?#") == text.npos;
}

}  // namespace

std::string_view host_without_port(std::string_view authority) {
    if (authority.starts_with('[')) {
        return authority.substr(1, std::min(authority.find(']'), authority.size()) - 1);
    }
    const std::size_t colon = authority.rfind(':');
    if (colon != authority.npos && authority.find(':') == colon) {
        authority = authority.substr(0, colon);
    }
    if (authority.ends_with('.')) authority.remove_suffix(1);
    return authority;
}

bool is_loopback_host(std::string_view host) {
    // as nearly everybody writes it: no address has to be read
    if (host == "127.0.0.1" || host == "::1" || iequals(host, "localhost")) return true;
    constexpr std::string_view kSuffix = ".localhost";
    if (host.size() > kSuffix.size() &&
        iequals(host.substr(host.size() - kSuffix.size()), kSuffix)) {
        return true;
    }
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(std::string(host), error);
    return !error && address.is_loopback();
}

bool host_allowed(std::string_view host_header, std::string_view local_address,
                  const config::Server& server) {
    if (host_header.empty()) return true;  // HTTP/1.0 without Host: no browser sends that
    const std::string_view host = host_without_port(host_header);
    if (is_loopback_host(host) || iequals(host, local_address)) return true;
    return std::ranges::any_of(server.allowed_hosts, [&](const std::string& allowed) {
        return iequals(allowed, host) || iequals(allowed, host_header);
    });
}

bool origin_allowed(std::string_view origin, const config::Server& server) {
    if (std::ranges::any_of(server.allowed_origins,
                            [&](const std::string& allowed) { return iequals(allowed, origin); })) {
        return true;
    }
    for (std::string_view scheme : kDesktopSchemes) {
        if (origin.size() >= scheme.size() && iequals(origin.substr(0, scheme.size()), scheme)) {
            return true;
        }
    }
    for (std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
        if (origin.starts_with(scheme)) {
            const std::string_view authority = origin.substr(scheme.size());
            return is_plain_authority(authority) && is_loopback_host(host_without_port(authority));
        }
    }
    return false;
}

std::optional<Error> check_browser(const BrowserFacts& facts, const config::Server& server) {
    if (!host_allowed(facts.host, facts.local_address, server)) {
        return make_error(Errc::forbidden_host,
                          "this Host is not served here; add it to server.allowed_hosts if it is "
                          "a name of this machine",
                          "Host");
    }
    if (facts.has_origin) {
        if (origin_allowed(facts.origin, server)) return std::nullopt;
        return make_error(Errc::forbidden_origin,
                          "web pages of this origin may not use the proxy; add it to "
                          "server.allowed_origins to allow it",
                          "Origin");
    }
    if (iequals(facts.sec_fetch_site, "cross-site")) {
        return make_error(Errc::forbidden_origin,
                          "another web site may not use the proxy through your browser",
                          "Sec-Fetch-Site");
    }
    return std::nullopt;
}

std::string_view bearer_of(std::string_view authorization) {
    constexpr std::string_view kScheme = "bearer ";
    if (authorization.size() < kScheme.size() ||
        !iequals(authorization.substr(0, kScheme.size()), kScheme)) {
        return {};
    }
    return trim(authorization.substr(kScheme.size()));
}

Result<std::string> check_key(std::string_view credential, Permission wanted,
                              const config::Auth& auth) {
    if (credential.empty()) {
        return make_error(Errc::invalid_api_key,
                          "an API key is needed: send it as 'Authorization: Bearer KEY'",
                          "Authorization");
    }
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(credential.data()), credential.size(),
           digest.data());
    const config::ApiKey* found = nullptr;
    for (const config::ApiKey& key : auth.api_keys) {
        // no early exit: the time taken says nothing about which key came close
        const bool same = CRYPTO_memcmp(key.sha256.data(), digest.data(), digest.size()) == 0;
        found = same ? &key : found;
    }
    if (!found) {
        return make_error(Errc::invalid_api_key, "this API key is not known", "Authorization");
    }
    if (!grants(found->permissions, wanted)) {
        return make_error(Errc::permission_denied,
                          "API key '" + found->name + "' lacks the permission '" +
                              std::string(word(wanted)) + "'",
                          "Authorization");
    }
    return found->name;
}

}  // namespace ollama_proxy::access
