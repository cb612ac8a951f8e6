#include "http/status_replies.hpp"

#include "version.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace ollama_proxy::http {
using nlohmann::json;
using router::BackendView;
using router::ModelsView;
using router::ModelView;
using router::StatusView;

namespace {

std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

template <class T>
json or_null(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

json backend_json(const BackendView& b) {
    return {{"id", b.id},
            {"name", b.name},
            {"type", b.type},
            {"hardware", b.hardware},
            {"endpoint", b.endpoint},
            {"enabled", b.enabled},
            {"state", b.state},
            {"healthy", b.healthy},
            {"reason", b.reason},
            {"circuit", b.circuit},
            {"models", b.models},
            {"loaded_models", b.loaded_models},
            {"queue_depth", b.queue_depth},
            {"priority_counts",
             {{"best_effort", b.waiting[0]},
              {"normal", b.waiting[1]},
              {"high", b.waiting[2]},
              {"critical", b.waiting[3]}}},
            {"in_flight", b.in_flight},
            {"max_concurrency", b.max_concurrency},
            {"avg_latency_ms", b.avg_latency_ms},
            {"ttft_ms", or_null(b.ttft_ms)},
            {"tokens_per_second", or_null(b.tokens_per_second)},
            {"power_watts", or_null(b.power_watts)},
            {"temperature_c", or_null(b.temperature_c)},
            {"throttled", b.throttled},
            {"priority", b.priority},
            {"requests", b.requests},
            {"failures", b.failures},
            {"joules_per_token", or_null(b.joules_per_token)},
            {"energy_source", b.energy_source.empty() ? json(nullptr) : json(b.energy_source)}};
}

json model_json(const ModelView& model) {
    return {{"id", model.name},
            {"object", "model"},
            {"created", model.created},
            {"owned_by", model.owned_by.empty() ? "library" : model.owned_by},
            {"backends", model.backends},
            {"loaded", model.loaded}};
}

/// The backend's own entry where it is Ollama's; made up from the little that is known otherwise.
json tag_json(const std::string& name, const std::string& own) {
    json entry = json::parse(own, nullptr, false);
    if (entry.is_object() && entry.contains("name")) return entry;
    return {{"name", name},
            {"model", name},
            {"modified_at", "1970-01-01T00:00:00Z"},
            {"size", 0},
            {"digest", ""},
            {"details",
             {{"parent_model", ""},
              {"format", ""},
              {"family", ""},
              {"families", nullptr},
              {"parameter_size", ""},
              {"quantization_level", ""}}}};
}

}  // namespace

Reply health_reply(const StatusView& view) {
    const auto healthy = std::ranges::count_if(view.backends, &BackendView::healthy);
    const auto enabled = std::ranges::count_if(view.backends, &BackendView::enabled);
    std::string_view status = "healthy";
    if (!view.accepting) {
        status = "stopping";
    } else if (healthy == 0) {
        status = "unavailable";
    } else if (healthy < enabled) {
        status = "degraded";
    }
    json backends = json::object();
    for (const BackendView& b : view.backends) {
        backends[b.id] = {{"state", b.state},
                          {"healthy", b.healthy},
                          {"reason", b.reason},
                          {"circuit", b.circuit}};
    }
    return json_reply(200, dump({{"status", status},
                                 {"version", kVersion},
                                 {"mode", view.mode},
                                 {"effective_mode", view.effective_mode},
                                 {"backends", std::move(backends)}}));
}

Reply ready_reply(const StatusView& view) {
    if (view.ready) return text_reply(200, "ready\n");
    Reply reply = text_reply(503, view.accepting ? "no backend can serve\n" : "stopping\n");
    reply.fields = "Retry-After: 1\r\n";
    return reply;
}

Reply backends_reply(const StatusView& view) {
    json list = json::array();
    for (const BackendView& b : view.backends) list.push_back(backend_json(b));
    return json_reply(200, dump({{"backends", std::move(list)}}));
}

Reply models_reply(const ModelsView& view) {
    json list = json::array();
    for (const ModelView& model : view.models) list.push_back(model_json(model));
    return json_reply(200, dump({{"object", "list"}, {"data", std::move(list)}}));
}

Reply model_reply(const ModelsView& view, std::string_view id) {
    for (std::string_view suffix : {std::string_view(), std::string_view(":latest")}) {
        const std::string name = std::string(id).append(suffix);
        const auto found = std::ranges::find(view.models, name, &ModelView::name);
        if (found != view.models.end()) return json_reply(200, dump(model_json(*found)));
    }
    return error_reply(codec::ErrorDialect::openai,
                       make_error(Errc::model_not_found,
                                  "model '" + std::string(id) +
                                      "' is on none of the backends; "
                                      "GET /v1/models lists what there is",
                                  "model"));
}

Reply tags_reply(const ModelsView& view) {
    json list = json::array();
    for (const ModelView& model : view.models) {
        list.push_back(tag_json(model.name, model.json));
    }
    return json_reply(200, dump({{"models", std::move(list)}}));
}

Reply running_reply(const ModelsView& view) {
    json list = json::array();
    for (const auto& model : view.loaded) list.push_back(tag_json(model.name, model.json));
    return json_reply(200, dump({{"models", std::move(list)}}));
}

Reply version_reply(const ModelsView& view) {
    return json_reply(200, dump({{"version", view.version.empty() ? kVersion : view.version}}));
}

std::string percent_decode(std::string_view text) {
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 &&
            digit(text[i + 2]) >= 0) {
            out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

}  // namespace ollama_proxy::http
