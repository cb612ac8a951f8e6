#include "ollama_proxy/codec/delta_decoder.hpp"
#include "require.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

using namespace ollama_proxy::codec;

namespace {

struct Decoded {
    std::vector<Delta> deltas;
    AnswerSummary summary;
    std::string error;
};

Decoded decode(Api api, std::string_view text, std::size_t step) {
    DeltaDecoder decoder(api);
    Decoded out;
    for (std::size_t at = 0; at < text.size(); at += step) {
        // A copy on the heap, so that a view that outlives its bytes is found.
        const std::string piece(text.substr(at, step));
        if (!decoder.feed(piece, out.deltas)) break;
    }
    if (!decoder.error() && !decoder.finish(out.deltas)) {
        require(decoder.error().has_value(), "a failure has its error");
    }
    if (decoder.error()) out.error = decoder.error()->message;
    out.summary = decoder.summary();
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    constexpr std::array kApis{Api::chat_completions, Api::completions, Api::ollama_chat,
                               Api::ollama_generate};
    const Api api = kApis[data[0] % kApis.size()];
    const std::size_t step = data[1] % 31 + 1U;
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const Decoded whole = decode(api, text, text.size() + 1);
    const Decoded pieces = decode(api, text, step);
    require(whole.deltas == pieces.deltas, "the deltas do not depend on the split");
    require(whole.summary == pieces.summary, "the summary does not depend on the split");
    require(whole.error == pieces.error, "the error does not depend on the split");
    for (const Delta& delta : whole.deltas) require(!delta.empty(), "no delta is empty");
    return 0;
}
