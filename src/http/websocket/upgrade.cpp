#include "http/websocket/upgrade.hpp"

#include "ollama_proxy/common/ascii.hpp"

#include <algorithm>

namespace ollama_proxy::http {
namespace {

/// One of the members of a comma list, over all fields of that name.
bool list_has(const codec::RequestHead& head, std::string_view name, std::string_view wanted) {
    for (const codec::Field& field : head.fields) {
        if (!iequals(field.name, name)) continue;
        std::string_view rest = field.value;
        while (!rest.empty()) {
            const std::size_t comma = std::min(rest.find(','), rest.size());
            if (iequals(trim(rest.substr(0, comma)), wanted)) return true;
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    return false;
}

std::size_t count(const codec::RequestHead& head, std::string_view name) {
    return static_cast<std::size_t>(std::ranges::count_if(
        head.fields, [&](const codec::Field& field) { return iequals(field.name, name); }));
}

bool is_base64(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/// Sixteen bytes in base64.
bool is_key(std::string_view key) {
    return key.size() == 24 && key.ends_with("==") &&
           std::ranges::all_of(key.substr(0, 22), is_base64);
}

std::string joined(const codec::RequestHead& head, std::string_view name) {
    std::string out;
    for (const codec::Field& field : head.fields) {
        if (!iequals(field.name, name)) continue;
        if (!out.empty()) out += ", ";
        out += field.value;
    }
    return out;
}

Error invalid(std::string message, std::string param) {
    return make_error(Errc::invalid_request, std::move(message), std::move(param));
}

}  // namespace

bool lacks_upgrade(const codec::RequestHead& head) {
    return !list_has(head, "upgrade", "websocket") || !list_has(head, "connection", "upgrade") ||
           count(head, "sec-websocket-version") != 1 || head.get("sec-websocket-version") != "13";
}

Result<Upgrade> read_upgrade(const codec::RequestHead& head, bool early_bytes) {
    if (lacks_upgrade(head)) {
        return invalid("this is a WebSocket: connect to it with a WebSocket client, version 13",
                       "Upgrade");
    }
    if (head.minor_version < 1) return invalid("a WebSocket needs HTTP/1.1", "Upgrade");
    if (head.framing != codec::Framing::none || early_bytes) {
        return invalid("nothing may follow the handshake before its answer", "Upgrade");
    }
    const std::string_view key = head.get("sec-websocket-key");
    if (count(head, "sec-websocket-key") != 1 || !is_key(key)) {
        return invalid("Sec-WebSocket-Key must be 16 bytes in base64", "Sec-WebSocket-Key");
    }
    return Upgrade{std::string(head.host), std::string(key),
                   joined(head, "sec-websocket-extensions")};
}

}  // namespace ollama_proxy::http
