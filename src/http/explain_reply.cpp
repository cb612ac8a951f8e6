#include "http/explain_reply.hpp"

#include "http/routes.hpp"
#include "http/status_replies.hpp"

#include <nlohmann/json.hpp>

#include <array>

namespace ollama_proxy::http {
using codec::Api;
using nlohmann::json;
using router::ExplainedCandidate;
using router::Explanation;
using router::Refusal;
using router::Scorer;

namespace {

/// Numbers by the name of their scorer.
json by_scorer(const std::array<double, router::kScorers>& values) {
    json out = json::object();
    for (std::size_t i = 0; i < values.size(); ++i) {
        out[std::string(to_string(static_cast<Scorer>(i)))] = values[i];
    }
    return out;
}

json refusals_json(const ExplainedCandidate& one) {
    json out = json::array();
    for (const router::ExplainedRefusal& refusal : one.refusals) {
        out.push_back({{"refusal", to_string(refusal.refusal)}, {"text", refusal.why}});
    }
    return out;
}

json candidate_json(const ExplainedCandidate& one) {
    const bool refused = one.refusal != Refusal::none;
    return {
        {"backend", one.backend},
        {"score", one.score},
        {"terms", by_scorer(one.terms)},
        {"refusal", refused ? json(to_string(one.refusal)) : json(nullptr)},
        {"refusal_text", refused ? json(one.why) : json(nullptr)},
        {"refusals", refusals_json(one)},
        {"estimated_latency_ms",
         one.estimated_latency_ms > 0 ? json(one.estimated_latency_ms) : json(nullptr)},
        {"estimated_power_watts", one.estimated_watts ? json(*one.estimated_watts) : json(nullptr)},
        {"occupancy", one.occupancy},
        {"model_loaded", one.model_loaded}};
}

std::string_view query_value(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        const std::size_t equals = pair.find('=');
        if (pair.substr(0, equals) == name && equals != pair.npos) return pair.substr(equals + 1);
        query = end == query.npos ? std::string_view() : query.substr(end + 1);
    }
    return {};
}

}  // namespace

Result<ExplainQuestion> read_explain_question(std::string_view query, std::string_view body) {
    if (const std::string named = percent_decode(query_value(query, "route")); !named.empty()) {
        const Route* route = find_route(named);
        if (!route || route->handler != Handler::inference) {
            return make_error(Errc::invalid_request,
                              "?route= must be one that asks a model, such as /v1/embeddings",
                              "route");
        }
        auto scan = codec::scan_request(route->api, body);
        if (!scan) return scan.error();
        return ExplainQuestion{route->api, std::move(*scan)};
    }
    for (const Api api : {Api::chat_completions, Api::completions, Api::embeddings}) {
        auto scan = codec::scan_request(api, body);
        if (scan) return ExplainQuestion{api, std::move(*scan)};
    }
    // Ollama's routes ask for the model alone; whatever is wrong then is wrong on every route
    auto scan = codec::scan_request(Api::ollama_chat, body);
    if (!scan) return scan.error();
    return ExplainQuestion{Api::chat_completions, std::move(*scan)};
}

Reply explain_reply(const Explanation& explanation) {
    json candidates = json::array();
    for (const ExplainedCandidate& one : explanation.candidates) {
        candidates.push_back(candidate_json(one));
    }
    json error = nullptr;
    if (explanation.error) {
        error = {{"status", codec::status_of(explanation.error->code)},
                 {"code", codec::code_name(explanation.error->code)},
                 {"message", explanation.error->message}};
    }
    const bool somebody = !explanation.backend.empty();
    const json out = {{"model", explanation.model},
                      {"route", explanation.route},
                      {"backend", somebody ? json(explanation.backend) : json(nullptr)},
                      {"reason", somebody ? json(explanation.reason) : json(nullptr)},
                      {"mode", explanation.mode},
                      {"waits_for_target", explanation.waits_for_target},
                      {"waits_for_mode", explanation.waits_for_mode},
                      {"weights", by_scorer(explanation.weights)},
                      {"candidates", std::move(candidates)},
                      {"error", std::move(error)}};
    return json_reply(200, out.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace ollama_proxy::http
