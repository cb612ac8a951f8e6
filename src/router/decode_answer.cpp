#include "ollama_proxy/common/ascii.hpp"
#include "router/response_stream_impl.hpp"
#include "router/retry_after.hpp"

#include <ctime>

namespace ollama_proxy::router {
using boost::asio::awaitable;

namespace {

DeltaStep broken_step(Error error) {
    DeltaStep step;
    step.kind = DeltaStep::Kind::broken;
    step.error = std::move(error);
    return step;
}

DeltaStep deltas_step(std::span<const codec::Delta> deltas) {
    DeltaStep step;
    step.kind = DeltaStep::Kind::deltas;
    step.deltas = deltas;
    return step;
}

int retry_after_of(std::string_view fields) {
    while (!fields.empty()) {
        const std::size_t end = fields.find("\r\n");
        const std::string_view line = fields.substr(0, end);
        const std::size_t colon = std::min(line.find(':'), line.size());
        if (iequals(line.substr(0, colon), "retry-after") && colon < line.size()) {
            return retry_after_seconds(trim(line.substr(colon + 1)), std::time(nullptr));
        }
        fields.remove_prefix(end == fields.npos ? fields.size() : end + 2);
    }
    return 0;
}

}  // namespace

/// What came cannot be translated: the backend's failure, and the end of the answer.
DeltaStep ResponseStream::Impl::decoding_failed(Error error) {
    return broken_step(broken(std::move(error), false).error);
}

/// An answer that came whole: an error, or a backend that did not stream.
DeltaStep ResponseStream::Impl::decode_whole() {
    if (status >= 400) {
        Error error = codec::backend_error_of(status, body);
        error.retry_after_s = retry_after_of(fields);
        release();  // its outcome was recorded when it was chosen as the answer
        return broken_step(std::move(error));
    }
    if (!decoding->decoder.read_whole(body, decoding->deltas)) {
        return decoding_failed(*decoding->decoder.error());
    }
    decoding->all_read = true;
    return deltas_step(decoding->deltas);
}

awaitable<DeltaStep> ResponseStream::Impl::next_delta() {
    if (!decoding) decoding = std::make_unique<Decoding>(api);
    Decoding& state = *decoding;
    state.deltas.clear();
    if (state.all_read) {
        release();
        co_return DeltaStep{};
    }
    if (state.decoder.error()) co_return decoding_failed(*state.decoder.error());
    if (mode == Mode::whole) {
        DeltaStep step = decode_whole();
        if (step.kind != DeltaStep::Kind::deltas || !step.deltas.empty()) co_return step;
        release();
        co_return DeltaStep{};
    }
    if (mode == Mode::raw) {
        co_return decoding_failed(
            make_error(Errc::bad_gateway, "the backend's answer is encoded or too large to read"));
    }
    for (;;) {
        const Step step = co_await next();
        if (step.kind == Step::Kind::broken) co_return broken_step(step.error);
        if (step.kind == Step::Kind::end) {
            // the watcher gave out every whole event before: nothing is held that could fail now
            const bool read = state.decoder.finish(state.deltas);
            if (!read) co_return broken_step(*state.decoder.error());
            state.all_read = true;
            if (!state.deltas.empty()) co_return deltas_step(state.deltas);
            co_return DeltaStep{};
        }
        for (std::string_view part : step.parts) {
            // what came before a broken line is given out first: the error comes with the next call
            if (!state.decoder.feed(part, state.deltas)) break;
        }
        if (!state.deltas.empty()) co_return deltas_step(state.deltas);
        if (state.decoder.error()) co_return decoding_failed(*state.decoder.error());
    }
}

}  // namespace ollama_proxy::router
