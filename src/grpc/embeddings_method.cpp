#include "grpc/inference.hpp"
#include "grpc/messages.hpp"
#include "grpc/methods.hpp"
#include "ollama_proxy/codec/delta_decoder.hpp"

namespace ollama_proxy::grpc_api {
using boost::asio::awaitable;

namespace {

codec::EmbeddingsRequest wanted_embeddings(const EmbeddingsRequest& request) {
    codec::EmbeddingsRequest out;
    out.model = request.model();
    if (!request.input().empty()) out.inputs.push_back(request.input());
    out.inputs.insert(out.inputs.end(), request.inputs().begin(), request.inputs().end());
    return out;
}

/// The whole body, also of an answer that is too large for the router to hold.
awaitable<Result<std::string>> whole_body(router::ResponseStream answer) {
    if (!answer.is_stream()) co_return answer.body();
    std::string body;
    for (;;) {
        const router::Step step = co_await answer.next();
        if (step.kind == router::Step::Kind::broken) co_return step.error;
        if (step.kind == router::Step::Kind::end) co_return body;
        for (std::string_view part : step.parts) body.append(part);
        if (body.size() > kMaxCollected) {
            co_return make_error(Errc::bad_gateway,
                                 "the vectors are too many for one message; ask for fewer at once");
        }
    }
}

}  // namespace

awaitable<std::optional<Error>> embeddings(Call& call) {
    EmbeddingsRequest request;
    if (auto error = co_await call.read(request)) co_return error;
    auto written = router::written_request(wanted_embeddings(request));
    if (!written) co_return written.error();
    router::RouteInfo info;
    auto answer = co_await open_answer(call, std::move(*written), request.annotations(), info);
    note_answer(call, info, {});
    if (!answer) co_return answer.error();
    const int status = answer->status();
    if (status >= 400 && !answer->is_stream()) {
        // read as any other method reads it: with the time that the backend asks for
        const router::DeltaStep step = co_await answer->next_delta();
        co_return step.error;
    }
    auto body = co_await whole_body(std::move(*answer));
    if (!body) co_return body.error();
    if (status >= 400) co_return codec::backend_error_of(status, *body);
    auto vectors = codec::read_embeddings(*body);
    if (!vectors) co_return vectors.error();

    EmbeddingsResponse response;
    if (!vectors->empty()) {
        const std::vector<float>& first = vectors->front();
        response.mutable_embedding()->Add(first.begin(), first.end());
    }
    if (request.inputs_size() > 0) {
        for (const std::vector<float>& vector : *vectors) {
            response.add_embeddings()->mutable_values()->Add(vector.begin(), vector.end());
        }
    }
    response.set_backend_used(info.backend);
    fill(*response.mutable_routing(), info);
    call.reply(response);
    co_return std::nullopt;
}

}  // namespace ollama_proxy::grpc_api
