#include "grpc/inference.hpp"

#include "grpc/messages.hpp"

namespace ollama_proxy::grpc_api {
using boost::asio::awaitable;

namespace {

codec::GenerationOptions options_of(const GenerationOptions& options) {
    codec::GenerationOptions out;
    if (options.has_temperature()) out.temperature = options.temperature();
    if (options.has_top_p()) out.top_p = options.top_p();
    if (options.has_top_k()) out.top_k = options.top_k();
    if (options.has_max_tokens()) out.max_tokens = options.max_tokens();
    if (options.has_seed()) out.seed = options.seed();
    out.stop.assign(options.stop().begin(), options.stop().end());
    return out;
}

constexpr double kJoulesPerWattHour = 3600;

}  // namespace

codec::GenerationRequest wanted_generation(const GenerateRequest& request) {
    codec::GenerationRequest out;
    out.model = request.model();
    out.prompt = request.prompt();
    out.options = options_of(request.options());
    return out;
}

codec::GenerationRequest wanted_generation(const ChatCompletionRequest& request) {
    codec::GenerationRequest out;
    out.model = request.model();
    for (const ChatMessage& message : request.messages()) {
        codec::GenerationMessage& to = out.messages.emplace_back();
        to.role = message.role();
        to.content = message.content();
        to.images.assign(message.images().begin(), message.images().end());
    }
    out.options = options_of(request.options());
    out.tools_json = request.tools_json();
    return out;
}

awaitable<Result<router::ResponseStream>> open_answer(Call& call, router::InferenceRequest request,
                                                      const Annotations& annotations,
                                                      router::RouteInfo& info) {
    call.set_request_id(annotations.request_id());
    auto hints = read_hints(annotations, *call.shared().router.view());
    if (!hints) co_return hints.error();
    request.hints = std::move(*hints);
    const bool is_best_effort = request.hints.priority == router::Priority::best_effort;
    if (is_best_effort &&
        !call.shared().limits->body_budget.has_room(0, access::kSpareBestEffort)) {
        co_return access::over_budget();
    }
    const router::RequestContext context = call.context();
    request.authorization = call.authorization();
    request.fields.append("X-Request-ID: ").append(call.request_id()).append("\r\n");
    call.record().model = request.scan.model;
    call.given_to_router();
    co_return co_await call.shared().router.route(request, context, info);
}

void fill(Stats& out, const std::optional<monitors::EnergyCharge>& energy,
          const codec::AnswerSummary& summary, TimePoint received, TimePoint first_token,
          TimePoint now) {
    const double total = to_ms(now - received);
    const double writing = to_ms(now - first_token);
    out.set_time_to_first_token_ms(to_ms(first_token - received));
    out.set_total_time_ms(total);
    out.set_prompt_tokens(summary.prompt_tokens.value_or(0));
    out.set_tokens_generated(summary.tokens());
    // the first token stands at the beginning of that time
    if (summary.tokens() > 1 && writing > 0) {
        out.set_tokens_per_second(static_cast<double>(summary.tokens() - 1) / writing * 1000);
    }
    if (energy) out.set_energy_wh(energy->joules / kJoulesPerWattHour);
}

void note_answer(Call& call, const router::RouteInfo& info, const codec::AnswerSummary& summary) {
    telemetry::AccessRecord& record = call.record();
    record.backend = info.backend;
    record.reason = info.reason;
    record.queue_ms = info.queue_wait_ms;
    if (summary.tokens() == 0) return;
    record.tokens = static_cast<std::int64_t>(summary.tokens());
    record.tokens_estimated = summary.estimated();
}

}  // namespace ollama_proxy::grpc_api
