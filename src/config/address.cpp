#include "config/address.hpp"

#include "ollama_proxy/common/ascii.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <optional>

namespace ollama_proxy::config {
namespace {

std::string_view without_brackets(std::string_view host) {
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    return bracketed ? host.substr(1, host.size() - 2) : host;
}

std::string bare(std::string_view host) {
    host = without_brackets(host);
    // inet_pton knows no zones; the part behind '%' is an interface's name.
    const auto zone = host.find('%');
    const bool ipv6_with_zone = zone != std::string_view::npos &&
                                host.substr(0, zone).find(':') != std::string_view::npos &&
                                zone + 1 < host.size();
    return std::string(ipv6_with_zone ? host.substr(0, zone) : host);
}

std::optional<in_addr> ipv4(const std::string& host) {
    in_addr address{};
    if (inet_pton(AF_INET, host.c_str(), &address) != 1) return std::nullopt;
    return address;
}

std::optional<in6_addr> ipv6(const std::string& host) {
    in6_addr address{};
    if (inet_pton(AF_INET6, host.c_str(), &address) != 1) return std::nullopt;
    return address;
}

}  // namespace

std::string canonical_host(std::string_view host) {
    if (iequals(host, "localhost")) return "localhost";
    return std::string(without_brackets(host));
}

bool is_listen_address(std::string_view host) {
    const std::string address = bare(host);
    return iequals(host, "localhost") || ipv4(address) || ipv6(address);
}

bool is_loopback(std::string_view host) {
    if (iequals(host, "localhost")) return true;
    const std::string address = bare(host);
    if (const auto four = ipv4(address)) return (ntohl(four->s_addr) >> 24) == 127;
    if (const auto six = ipv6(address)) {
        const bool mapped = IN6_IS_ADDR_V4MAPPED(&*six) != 0;
        return IN6_IS_ADDR_LOOPBACK(&*six) != 0 || (mapped && six->s6_addr[12] == 127);
    }
    return false;
}

}  // namespace ollama_proxy::config
