#include "grpc/inference.hpp"
#include "grpc/messages.hpp"
#include "grpc/methods.hpp"
#include "ollama_proxy/codec/tool_calls.hpp"

namespace ollama_proxy::grpc_api {
using boost::asio::awaitable;
using router::DeltaStep;

namespace {

/// An answer while it is read.
struct Reading {
    router::RouteInfo info;
    TimePoint first_token = kNever;
    codec::ToolCalls tool_calls;
    codec::AnswerSummary summary;
    std::optional<monitors::EnergyCharge> energy;

    void note(const codec::Delta& delta) {
        if (first_token == kNever) first_token = Clock::now();
        tool_calls.add(delta.tool_calls);
    }
};

/// The access log hears of an answer however it ends.
struct NoteAtEnd {
    Call& call;
    const Reading& reading;
    ~NoteAtEnd() { note_answer(call, reading.info, reading.summary); }
};

template <class Response>
void fill_end(Response& out, const Call& call, const Reading& reading) {
    const TimePoint now = Clock::now();
    out.set_backend_used(reading.info.backend);
    fill(*out.mutable_routing(), reading.info);
    fill(*out.mutable_stats(), reading.energy, reading.summary, call.received(),
         std::min(reading.first_token, now), now);
}

void set_tool_calls(GenerateStreamResponse&, const codec::ToolCalls&) {}
void set_tool_calls(ChatCompletionStreamResponse& out, const codec::ToolCalls& calls) {
    out.set_tool_calls_json(calls.json());
}

void set_answer(GenerateResponse& out, std::string text, std::string thinking, const Reading&) {
    out.set_response(std::move(text));
    out.set_thinking(std::move(thinking));
}
void set_answer(ChatCompletionResponse& out, std::string text, std::string thinking,
                const Reading& reading) {
    AssistantMessage& message = *out.mutable_message();
    message.set_role("assistant");
    message.set_content(std::move(text));
    message.set_thinking(std::move(thinking));
    message.set_tool_calls_json(reading.tool_calls.json());
    out.set_finish_reason(reading.summary.finish_reason);
}

/// Piece after piece: pulls, writes until the transport took it, pulls again.
template <class Request, class Response>
awaitable<std::optional<Error>> stream_answer(Call& call) {
    Request request;
    if (auto error = co_await call.read(request)) co_return error;
    auto written = router::written_request(wanted_generation(request));
    if (!written) co_return written.error();
    Reading reading;
    const NoteAtEnd note{call, reading};
    call.record().stream = true;
    auto answer =
        co_await open_answer(call, std::move(*written), request.annotations(), reading.info);
    if (!answer) co_return answer.error();
    Response piece;
    fill(*piece.mutable_routing(), reading.info);
    piece.set_backend_used(reading.info.backend);
    for (;;) {
        const DeltaStep step = co_await answer->next_delta();
        reading.summary = answer->summary();
        if (step.kind == DeltaStep::Kind::broken) co_return step.error;
        if (step.kind == DeltaStep::Kind::end) {
            reading.energy = answer->energy();
            break;
        }
        for (const codec::Delta& delta : step.deltas) {
            reading.note(delta);
            if (delta.text.empty() && delta.thinking.empty()) continue;
            piece.set_token(delta.text);
            piece.set_thinking(delta.thinking);
            auto error = co_await call.write(piece);
            if (error) co_return error;
            piece.clear_routing();
        }
    }
    Response last;
    last.set_done(true);
    last.set_finish_reason(reading.summary.finish_reason);
    set_tool_calls(last, reading.tool_calls);
    fill_end(last, call, reading);
    call.reply(last);
    co_return std::nullopt;
}

/// The backend streams here too: the time to the first token is a true one, and a client that
/// leaves stops it at the next.
template <class Request, class Response>
awaitable<std::optional<Error>> collect_answer(Call& call) {
    Request request;
    if (auto error = co_await call.read(request)) co_return error;
    auto written = router::written_request(wanted_generation(request));
    if (!written) co_return written.error();
    Reading reading;
    const NoteAtEnd note{call, reading};
    auto answer =
        co_await open_answer(call, std::move(*written), request.annotations(), reading.info);
    if (!answer) co_return answer.error();
    std::string text;
    std::string thinking;
    for (;;) {
        const DeltaStep step = co_await answer->next_delta();
        reading.summary = answer->summary();
        if (step.kind == DeltaStep::Kind::broken) co_return step.error;
        if (step.kind == DeltaStep::Kind::end) {
            reading.energy = answer->energy();
            break;
        }
        for (const codec::Delta& delta : step.deltas) {
            reading.note(delta);
            text += delta.text;
            thinking += delta.thinking;
        }
        if (text.size() + thinking.size() > kMaxCollected) {
            co_return make_error(Errc::bad_gateway,
                                 "the answer is too long for one message; ask for a stream");
        }
    }
    Response response;
    set_answer(response, std::move(text), std::move(thinking), reading);
    fill_end(response, call, reading);
    call.reply(response);
    co_return std::nullopt;
}

}  // namespace

awaitable<std::optional<Error>> generate(Call& call) {
    return collect_answer<GenerateRequest, GenerateResponse>(call);
}
awaitable<std::optional<Error>> generate_stream(Call& call) {
    return stream_answer<GenerateRequest, GenerateStreamResponse>(call);
}
awaitable<std::optional<Error>> chat_completion(Call& call) {
    return collect_answer<ChatCompletionRequest, ChatCompletionResponse>(call);
}
awaitable<std::optional<Error>> chat_completion_stream(Call& call) {
    return stream_answer<ChatCompletionRequest, ChatCompletionStreamResponse>(call);
}

}  // namespace ollama_proxy::grpc_api
