#include "config/validate.hpp"

#include "config/address.hpp"
#include "config/suggest.hpp"

#include <algorithm>
#include <map>

namespace ollama_proxy::config {
namespace {

void check_listener(Reader& reader, const Server& server) {
    const std::string key = "server.host";
    if (server.host.empty()) {
        reader.problem(key, "an empty list; expected at least one address such as \"127.0.0.1\"");
    }
    const bool open =
        server.allow_unauthenticated || (server.auth.enabled && !server.auth.api_keys.empty());
    for (std::size_t i = 0; i < server.host.size(); ++i) {
        const std::string& host = server.host[i];
        const std::string item = key + "[" + std::to_string(i) + "]";
        const std::string& at = reader.was_given(item) ? item : key;
        if (!is_listen_address(host)) {
            reader.problem(at, "expected an IP address or localhost, found \"" + host + "\"");
        } else if (!open && !is_loopback(host)) {
            reader.problem(at,
                           "\"" + host +
                               "\" is open to the network and no key protects it; either listen "
                               "on loopback (\"127.0.0.1\"), or set server.auth with API keys or "
                               "server.allow_unauthenticated: true");
        }
    }
}

void check_auth(Reader& reader, const Auth& auth) {
    // Keys that could not be read have their own problem already.
    const bool listed = reader.was_given("server.auth.api_keys[0]");
    if (auth.enabled && auth.api_keys.empty() && !listed) {
        reader.problem("server.auth.enabled", "true, but server.auth.api_keys lists no key");
    }
    if (!auth.enabled && !auth.api_keys.empty()) {
        reader.warn(
            "server.auth lists API keys but server.auth.enabled is false: none is asked for");
    }
}

void check_backends(Reader& reader, const Config& config) {
    std::map<std::string, std::size_t> first;
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < config.backends.size(); ++i) {
        const std::string& id = config.backends[i].id;
        if (id.empty()) continue;
        const auto [known, is_new] = first.emplace(id, i);
        if (is_new) {
            ids.push_back(id);
        } else {
            reader.problem("backends[" + std::to_string(i) + "].id",
                           "\"" + id + "\" is the id of backends[" + std::to_string(known->second) +
                               "] already");
        }
    }
    const std::string& wanted = config.router.default_backend;
    // Servers that are found at start have ids that nobody knows yet.
    if (!wanted.empty() && !config.discover_local && !first.contains(wanted)) {
        reader.problem("router.default_backend",
                       "no backend has the id \"" + wanted + "\"" + did_you_mean(wanted, ids));
    }
}

void check_reserved_slots(Reader& reader, const Config& config) {
    const unsigned reserved = config.queue.reserved_slots;
    if (reserved == 0) return;
    const std::string rule = ", expected at most slots - 1";
    if (config.discover_local) {
        reader.problem(
            "queue.reserved_slots",
            "discovered backends have one slot each, best-effort would never run" + rule);
    }
    for (const Backend& backend : config.backends) {
        if (!backend.enabled || reserved < backend.max_concurrency) continue;
        reader.problem("queue.reserved_slots",
                       std::to_string(reserved) + " leaves best-effort no slot on \"" + backend.id +
                           "\" (max_concurrency " + std::to_string(backend.max_concurrency) + ")" +
                           rule);
        return;
    }
}

void check_aliases(Reader& reader, const Router& router) {
    for (const auto& [alias, target] : router.aliases) {
        const std::string key = "router.aliases." + alias;
        if (target.empty()) {
            reader.problem(key, "empty; expected the name of a model");
        } else if (target == alias) {
            reader.problem(key, "names itself");
        } else if (router.aliases.contains(target)) {
            reader.problem(key, "\"" + target + "\" is an alias too; name the model itself");
        }
    }
}

void check_thermal(Reader& reader, const Thermal& thermal) {
    const auto below = [&](const char* low_name, double low, const char* high_name, double high) {
        if (low < high) return;
        const std::string key = std::string("thermal.") + low_name;
        const std::string other = std::string("thermal.") + high_name;
        reader.problem(reader.was_given(key) ? key : other,
                       std::string(low_name) + " (" + plain(low) + ") must be below " + high_name +
                           " (" + plain(high) +
                           "); expected recovery < elevated < high < critical");
    };
    below("recovery", thermal.recovery, "elevated", thermal.elevated);
    below("elevated", thermal.elevated, "high", thermal.high);
    below("high", thermal.high, "critical", thermal.critical);
}

}  // namespace

void validate(Reader& reader, const Config& config) {
    check_listener(reader, config.server);
    check_auth(reader, config.server.auth);
    check_backends(reader, config);
    check_reserved_slots(reader, config);
    check_aliases(reader, config.router);
    check_thermal(reader, config.thermal);
    if (config.circuit_breaker.open > config.circuit_breaker.max_open) {
        const bool given = reader.was_given("circuit_breaker.open_ms");
        reader.problem(given ? "circuit_breaker.open_ms" : "circuit_breaker.max_open_ms",
                       "open_ms must not be above max_open_ms");
    }
}

}  // namespace ollama_proxy::config
