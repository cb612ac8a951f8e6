#include "http/explain_reply.hpp"
#include "http/hints.hpp"
#include "http/session.hpp"

namespace ollama_proxy::http {
using boost::asio::awaitable;

/// What the decision would be, told instead of acted upon.
Result<Reply> Session::explained(router::InferenceRequest& request) {
    auto question = read_explain_question(request_.query, request.body);
    if (!question) return question.error();
    request.api = question->api;
    request.scan = std::move(question->scan);
    record_.model = request.scan.model;
    const auto explanation = shared_->router.explain(request);
    if (!explanation) return explanation.error();
    return explain_reply(*explanation);
}

awaitable<Session::After> Session::serve_explain(const codec::RequestHead& head) {
    router::InferenceRequest request;
    auto hints = parse_hints(head);
    downstream_.consume(head.size);
    ByteBudget::Lease lease;
    std::optional<Error> error;
    if (!hints) {
        error = hints.error();
    } else {
        request.hints = std::move(*hints);
        if (!take_body_at_hand(request.body, lease, false)) {
            error = co_await read_body(request.body, lease, false);
        }
    }
    if (error) co_return co_await refuse_early(*error);
    Result<Reply> reply = explained(request);
    if (!reply) co_return co_await refuse_early(reply.error());
    co_return co_await send(std::move(*reply));
}

}  // namespace ollama_proxy::http
