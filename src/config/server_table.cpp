#include "config/api_key.hpp"
#include "config/rows.hpp"
#include "config/tables.hpp"

#include <algorithm>

namespace ollama_proxy::config {
namespace {

Table<Limits> limits_table() {
    return {integer("header_bytes", &Limits::header_bytes, 1, 16 * 1024 * 1024),
            count("header_fields", &Limits::header_fields),
            integer("body_bytes", &Limits::body_bytes, 1, kMaxBytes),
            count("connections", &Limits::connections),
            integer("buffered_bytes", &Limits::buffered_bytes, 1, kMaxBytes),
            duration("header_timeout_ms", &Limits::header_timeout),
            duration("body_stall_ms", &Limits::body_stall),
            duration("idle_timeout_ms", &Limits::idle_timeout),
            duration("write_stall_ms", &Limits::write_stall)};
}

/// Keys are written as names of secrets and kept as hashes, so this list has a type of its own.
Field<Auth> api_keys_field() {
    struct Drafts {
        std::vector<ApiKeyDraft> keys;
    };
    auto drafts = list<Drafts, ApiKeyDraft>("api_keys", &Drafts::keys, api_key_table(), {});
    Field<Auth> field{"api_keys", drafts.info, {}};
    field.children = drafts.children;
    field.compare = [](const std::string& key, const Auth& running, Auth& now, Changes& out) {
        const auto same = [](const ApiKey& a, const ApiKey& b) {
            return a.name == b.name && a.sha256 == b.sha256 && a.permissions == b.permissions;
        };
        compare_value(key, running.api_keys, now.api_keys,
                      std::ranges::equal(running.api_keys, now.api_keys, same), out);
    };
    field.read = [](Reader& reader, const Node* node, const std::string& key, Auth& auth) {
        Drafts read;
        const std::size_t problems_before = reader.problems.size();
        const auto row =
            list<Drafts, ApiKeyDraft>("api_keys", &Drafts::keys, api_key_table(),
                                      [](Reader&, const std::string&, ApiKeyDraft&) {});
        row.read(reader, node, key, read);
        if (reader.problems.size() != problems_before) return;
        resolve_api_keys(reader, key, read.keys, auth);
    };
    return field;
}

Field<Server> host_field() {
    Field<Server> field{"host", {{}, "string_or_strings", {}, {}, {}}, {}};
    field.read = [](Reader& reader, const Node* node, const std::string& key, Server& server) {
        if (node->kind == Node::Kind::scalar) {
            if (auto host = reader.text(*node, key)) server.host = {*std::move(host)};
        } else if (auto hosts = reader.strings(*node, key)) {
            server.host = *std::move(hosts);
        }
    };
    return std::move(field).holds(&Server::host);
}

Field<Server> grpc_port_field() {
    auto field = integer("grpc_port", &Server::grpc_port, 0, 65535);
    field.info.type = "integer_or_null";
    field.read = [inner = std::move(field.read)](Reader& reader, const Node* node,
                                                 const std::string& key, Server& server) {
        if (node->kind == Node::Kind::null) {
            server.grpc_port.reset();
        } else {
            inner(reader, node, key, server);
        }
    };
    return field;
}

}  // namespace

Table<Server> server_table() {
    return {
        host_field(),
        integer("http_port", &Server::http_port, 0, 65535),
        grpc_port_field(),
        integer("workers", &Server::workers, 0, 1024),
        boolean("allow_unauthenticated", &Server::allow_unauthenticated),
        strings("allowed_hosts", &Server::allowed_hosts),
        strings("allowed_origins", &Server::allowed_origins),
        duration("shutdown_grace_ms", &Server::shutdown_grace),
        section("limits", &Server::limits, limits_table()),
        section("auth", &Server::auth, {boolean("enabled", &Auth::enabled), api_keys_field()}),
        section("rate_limit", &Server::rate_limit,
                {boolean("enabled", &RateLimit::enabled),
                 number("rate", &RateLimit::rate, 0.001, 1e6), count("burst", &RateLimit::burst)})};
}

}  // namespace ollama_proxy::config
