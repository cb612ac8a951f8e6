#include "ollama_proxy/codec/stream_watcher.hpp"
#include "require.hpp"

#include <cstdint>
#include <string>
#include <string_view>

using namespace ollama_proxy::codec;

namespace {

struct Watched {
    AnswerFacts facts;
    std::string out;
    std::string separator;
    bool at_boundary = true;
};

Watched watch(StreamDialect dialect, std::string_view text, std::size_t step) {
    StreamWatcher watcher(dialect);
    Watched result;
    for (std::size_t at = 0; at < text.size(); at += step) {
        // A copy on the heap, so that a view that outlives its bytes is found.
        const std::string piece(text.substr(at, step));
        const StreamWatcher::Release release = watcher.feed(piece);
        result.out += release.held;
        result.out += release.fresh;
    }
    result.out += watcher.finish();
    result.facts = watcher.facts();
    result.separator = watcher.separator();
    result.at_boundary = watcher.at_boundary();
    return result;
}

void check(StreamDialect dialect, std::string_view text, std::size_t step) {
    const Watched whole = watch(dialect, text, text.size() + 1);
    require(whole.out == text, "bytes in are bytes out");
    require(whole.facts.error_message.size() <= 512, "the message is bounded");
    const Watched pieces = watch(dialect, text, step);
    require(pieces.out == text, "bytes in are bytes out at any split");
    const AnswerFacts& a = whole.facts;
    const AnswerFacts& b = pieces.facts;
    require(a.done_marker == b.done_marker && a.finished == b.finished && a.error == b.error &&
                a.first_is_error == b.first_is_error && a.error_message == b.error_message &&
                a.error_status == b.error_status && a.content_events == b.content_events &&
                a.prompt_tokens == b.prompt_tokens && a.completion_tokens == b.completion_tokens &&
                a.load_ms == b.load_ms && a.eval_ms == b.eval_ms && a.blind == b.blind,
            "the facts do not depend on the split");
    require(whole.separator == pieces.separator, "the separator does not depend on the split");
    require(whole.at_boundary == pieces.at_boundary, "the boundary does not depend on the split");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto dialect = static_cast<StreamDialect>(data[0] % 4);
    const std::size_t step = data[1] % 31 + 1U;
    check(dialect, {reinterpret_cast<const char*>(data) + 2, size - 2}, step);
    return 0;
}
