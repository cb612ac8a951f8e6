#include "upstream/probe_verdict.hpp"

namespace ollama_proxy::upstream {
namespace {

ProbeVerdict failed(std::string reason) {
    ProbeVerdict verdict;
    verdict.reason = std::move(reason);
    return verdict;
}

ProbeVerdict alive(std::string reason) {
    ProbeVerdict verdict;
    verdict.result = ProbeResult::ok;
    verdict.reason = std::move(reason);
    return verdict;
}

std::string answered(int status, config::BackendType type) {
    return "answers " + std::to_string(status) + " to " + std::string(probe_target(type));
}

ProbeVerdict judge_ollama(const FetchReply& reply) {
    if (reply.status != 200) return failed(answered(reply.status, config::BackendType::ollama));
    auto version = parse_version(reply.body);
    if (!version) return failed("answers, but not as Ollama does (no version)");
    ProbeVerdict verdict = alive("Ollama " + *version);
    verdict.version = std::move(*version);
    return verdict;
}

ProbeVerdict judge_openai(const FetchReply& reply) {
    const std::string answer = answered(reply.status, config::BackendType::openai);
    switch (reply.status) {
        case 200: {
            ProbeVerdict verdict = alive("answers");
            verdict.models = parse_openai_models(reply.body);
            if (!verdict.models) return failed("answers /v1/models with something else");
            return verdict;
        }
        case 401:
        case 403:
            return failed(answer + ": check the API key");
        case 404:
        case 405:
        case 501:
            return alive(answer + ": it does not list its models");
        case 429:
            return alive(answer);
        default:
            return failed(answer);
    }
}

}  // namespace

std::string_view probe_target(config::BackendType type) {
    return type == config::BackendType::ollama ? "/api/version" : "/v1/models";
}

ProbeVerdict judge_probe(config::BackendType type, const Result<FetchReply>& reply) {
    if (reply.has_error()) {
        const Error& error = reply.error();
        ProbeVerdict verdict = failed(error.message);
        if (error.code == Errc::upstream_refused) verdict.result = ProbeResult::refused;
        return verdict;
    }
    return type == config::BackendType::ollama ? judge_ollama(*reply) : judge_openai(*reply);
}

}  // namespace ollama_proxy::upstream
