#include "http/routes.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace ollama_proxy::http {
namespace {

using codec::Api;
using enum Handler;

constexpr std::uint8_t kRead = kGet | kHead;
constexpr Api kNoApi = Api::chat_completions;

constexpr std::array kRoutes{
    Route{"/v1/chat/completions", false, kPost, inference, Permission::inference,
          Api::chat_completions},
    Route{"/v1/completions", false, kPost, inference, Permission::inference, Api::completions},
    Route{"/v1/embeddings", false, kPost, inference, Permission::inference, Api::embeddings},
    Route{"/v1/responses", false, kPost, inference, Permission::inference, Api::responses},
    Route{"/v1/messages", false, kPost, inference, Permission::inference, Api::messages},
    Route{"/v1/messages/count_tokens", false, kPost, inference, Permission::inference,
          Api::count_tokens},
    Route{"/v1/models", false, kRead, models, Permission::read, kNoApi},
    Route{"/v1/models/", true, kRead, model, Permission::read, kNoApi},
    Route{"/api/chat", false, kPost, inference, Permission::inference, Api::ollama_chat},
    Route{"/api/generate", false, kPost, inference, Permission::inference, Api::ollama_generate},
    Route{"/api/embed", false, kPost, inference, Permission::inference, Api::ollama_embed},
    Route{"/api/embeddings", false, kPost, inference, Permission::inference,
          Api::ollama_embeddings},
    Route{"/api/show", false, kPost, inference, Permission::inference, Api::ollama_show},
    Route{"/api/tags", false, kRead, tags, Permission::read, kNoApi},
    Route{"/api/ps", false, kRead, running, Permission::read, kNoApi},
    Route{"/api/version", false, kRead, version, Permission::read, kNoApi},
    Route{"/api/pull", false, kPost, management, Permission::admin, kNoApi},
    Route{"/api/push", false, kPost, management, Permission::admin, kNoApi},
    Route{"/api/create", false, kPost, management, Permission::admin, kNoApi},
    Route{"/api/copy", false, kPost, management, Permission::admin, kNoApi},
    Route{"/api/delete", false, kDelete, management, Permission::admin, kNoApi},
    Route{"/api/blobs/", true, kHead | kPost, blob, Permission::admin, kNoApi},
    Route{"/v1/stream/ws", false, kGet, websocket, Permission::inference, kNoApi},
    Route{"/", false, kRead, root, Permission::none, kNoApi},
    Route{"/health", false, kRead, health, Permission::read, kNoApi},
    Route{"/healthz", false, kRead, alive, Permission::none, kNoApi},
    Route{"/readyz", false, kRead, ready, Permission::none, kNoApi},
    Route{"/backends", false, kRead, backends, Permission::read, kNoApi},
    Route{"/efficiency", false, kRead, efficiency, Permission::read, kNoApi},
    Route{"/efficiency", false, kPost, set_efficiency, Permission::admin, kNoApi},
    Route{"/efficiency/history", false, kRead, efficiency_history, Permission::read, kNoApi},
    Route{"/thermal", false, kRead, thermal, Permission::read, kNoApi},
    Route{"/metrics", false, kRead, metrics, Permission::read, kNoApi},
    Route{"/explain", false, kPost, explain, Permission::read, kNoApi},
};

bool is_at(const Route& route, std::string_view path) {
    if (!route.is_prefix) return path == route.path;
    return path.size() > route.path.size() && path.starts_with(route.path);
}

}  // namespace

const Route* find_route(std::string_view path, Verb verb) {
    const Route* first = nullptr;
    for (const Route& route : kRoutes) {
        if (!is_at(route, path)) continue;
        if (verb == kNoVerb || (route.verbs & verb)) return &route;
        if (!first) first = &route;
    }
    return first;
}

std::uint8_t verbs_of(std::string_view path) {
    std::uint8_t verbs = 0;
    for (const Route& route : kRoutes) {
        if (is_at(route, path)) verbs |= route.verbs;
    }
    return verbs;
}

std::size_t route_number(const Route& route) {
    return static_cast<std::size_t>(&route - kRoutes.data());
}

bool is_blob_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == ':' || c == '-' || c == '_';
    });
}

Verb parse_verb(std::string_view method) {
    if (method == "POST") return kPost;
    if (method == "GET") return kGet;
    if (method == "HEAD") return kHead;
    if (method == "DELETE") return kDelete;
    if (method == "OPTIONS") return kOptions;
    return kNoVerb;
}

std::string allow_list(std::uint8_t verbs) {
    std::string out;
    const auto add = [&](Verb verb, std::string_view name) {
        if (!(verbs & verb)) return;
        if (!out.empty()) out += ", ";
        out += name;
    };
    add(kGet, "GET");
    add(kHead, "HEAD");
    add(kPost, "POST");
    add(kDelete, "DELETE");
    add(kOptions, "OPTIONS");
    return out;
}

}  // namespace ollama_proxy::http
