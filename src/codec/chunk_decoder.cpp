#include "codec/http1_chars.hpp"
#include "ollama_proxy/codec/http1.hpp"

#include <algorithm>

namespace ollama_proxy::codec {
namespace {

constexpr std::size_t kSizeLimit = 18;
constexpr std::size_t kExtensionLimit = 256;
constexpr std::size_t kTrailerLimit = 8192;

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

ChunkDecoder::Step ChunkDecoder::feed(std::string_view in, std::vector<std::string_view>& data) {
    std::size_t at = 0;
    const auto broken = [&] {
        phase_ = Phase::broken;
        return Step{at, State::bad};
    };
    while (at < in.size()) {
        const char c = in[at];
        switch (phase_) {
            case Phase::size:
                if (const int digit = hex_value(c); digit >= 0) {
                    // 59 bits leave room for one more digit in a signed 64 bit length.
                    if (++line_ > kSizeLimit || left_ >> 59 != 0) return broken();
                    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
                } else if (line_ != 0 && (c == ';' || c == '\r')) {
                    line_ = 0;
                    phase_ = c == ';' ? Phase::extension : Phase::size_lf;
                } else {
                    return broken();
                }
                break;
            case Phase::extension:
                if (c == '\r') {
                    phase_ = Phase::size_lf;
                } else if (!chars::is(c, chars::kText) || ++line_ > kExtensionLimit) {
                    return broken();
                }
                break;
            case Phase::size_lf:
                if (c != '\n') return broken();
                line_ = 0;
                phase_ = left_ == 0 ? Phase::trailer : Phase::data;
                break;
            case Phase::data: {
                const auto size =
                    static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size() - at));
                data.push_back(in.substr(at, size));
                left_ -= size;
                at += size;
                if (left_ == 0) phase_ = Phase::data_cr;
                continue;
            }
            case Phase::data_cr:
                if (c != '\r') return broken();
                phase_ = Phase::data_lf;
                break;
            case Phase::data_lf:
                if (c != '\n') return broken();
                phase_ = Phase::size;
                break;
            case Phase::trailer:
                if (++trailers_ > kTrailerLimit) return broken();
                if (c == '\r') {
                    phase_ = Phase::trailer_lf;
                    break;
                }
                if (!chars::is(c, chars::kText)) return broken();
                // A folded line is as ambiguous here as it is in a head.
                if (line_ == 0 && (c == ' ' || c == '\t')) return broken();
                ++line_;
                break;
            case Phase::trailer_lf:
                if (c != '\n') return broken();
                ++trailers_;
                if (line_ == 0) {
                    phase_ = Phase::end;
                } else {
                    line_ = 0;
                    phase_ = Phase::trailer;
                }
                break;
            case Phase::end:
                return {at, State::done};
            case Phase::broken:
                return {at, State::bad};
        }
        ++at;
    }
    if (phase_ == Phase::end) return {at, State::done};
    return {at, phase_ == Phase::broken ? State::bad : State::more};
}

}  // namespace ollama_proxy::codec
