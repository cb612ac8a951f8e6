#include "ollama_proxy/codec/http1.hpp"
#include "require.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace ollama_proxy::codec;

namespace {

struct Decoded {
    std::string payload;
    ChunkDecoder::State state = ChunkDecoder::State::more;
    std::size_t consumed = 0;
};

Decoded decode(std::string_view text, std::size_t step) {
    ChunkDecoder decoder;
    Decoded result;
    std::vector<std::string_view> views;
    for (std::size_t at = 0; at < text.size() && result.state == ChunkDecoder::State::more;
         at += step) {
        views.clear();
        const std::string_view piece = text.substr(at, step);
        const ChunkDecoder::Step done = decoder.feed(piece, views);
        for (const std::string_view view : views) {
            require(view.data() >= piece.data() &&
                        view.data() + view.size() <= piece.data() + piece.size(),
                    "payload lies in the input");
            result.payload += view;
        }
        result.state = done.state;
        result.consumed += done.consumed;
    }
    return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t step = data[0] % 7 + 1U;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Decoded whole = decode(text, text.size() + 1);
    const Decoded pieces = decode(text, step);
    require(whole.payload == pieces.payload, "the payload does not depend on the split");
    require(whole.state == pieces.state, "the end does not depend on the split");
    require(whole.consumed == pieces.consumed, "what is used up does not depend on the split");
    return 0;
}
