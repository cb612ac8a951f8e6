#include "ollama_proxy/config/endpoint.hpp"

#include "ollama_proxy/common/ascii.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>

namespace ollama_proxy::config {
namespace {

// Percent-encoding lets a URL's host hold any byte; what we connect to and send as Host must not.
bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == ':';
}

std::string_view without_slashes(std::string_view path) {
    while (path.ends_with('/')) path.remove_suffix(1);
    return path;
}

/// What the proxy's own paths follow. They begin with /v1 or /api, while OpenAI's guides write a
/// base URL with the /v1.
std::string_view base_of(std::string_view path) {
    constexpr std::string_view kVersion = "/v1";
    path = without_slashes(path);
    if (path.ends_with(kVersion)) path.remove_suffix(kVersion.size());
    return without_slashes(path);
}

}  // namespace

std::variant<Endpoint, std::string> parse_endpoint(std::string_view text) {
    using std::string;
    const string form = "expected http://host:port or https://host:port";
    if (text.empty()) return form + ", found nothing";
    if (text.find("://") == std::string_view::npos) {
        return form + "; did you mean \"http://" + string(text) + "\"?";
    }
    const auto parsed = boost::urls::parse_uri(text);
    if (!parsed) return form + ", \"" + string(text) + "\" is not a URL";
    const boost::urls::url_view& url = *parsed;

    Endpoint endpoint;
    const string scheme = ascii_lower(std::string_view(url.scheme().data(), url.scheme().size()));
    if (scheme != "http" && scheme != "https") {
        return form + ", the scheme \"" + scheme + "\" is not supported";
    }
    endpoint.tls = scheme == "https";
    if (url.has_userinfo()) {
        return string(
            "a user name or password does not belong in the URL; use api_key_env or headers");
    }
    if (url.has_query() || url.has_fragment()) {
        return string("a query or fragment does not belong in a backend's URL");
    }
    endpoint.host = url.host_address();
    if (endpoint.host.empty()) return form + ", the host is missing";
    if (!std::all_of(endpoint.host.begin(), endpoint.host.end(), is_host_character)) {
        return form + ", the host has characters that no host name has";
    }
    const auto path = url.encoded_path();
    // Boost 1.81 takes what follows a bad port ("localhost:1x") for a path without a slash.
    if (!path.empty() && *path.data() != '/') {
        return form + ", \"" + string(text) + "\" is not a URL";
    }
    if (url.has_port() && !url.port().empty()) {
        // A number over 65535 gives 0, as 0 itself does: neither can be connected to.
        if (url.port_number() == 0) return form + ", ports go from 1 to 65535";
        endpoint.port = url.port_number();
    } else {
        endpoint.port = endpoint.tls ? 443 : 80;
    }
    endpoint.base_path = base_of({path.data(), path.size()});
    // The path comes last. Two spellings of one place are one text, by which it is remembered.
    endpoint.text = text.substr(0, text.size() - (path.size() - endpoint.base_path.size()));
    return endpoint;
}

}  // namespace ollama_proxy::config
