#include "ollama_proxy/codec/http1.hpp"
#include "require.hpp"

#include <cstdint>
#include <string_view>

using namespace ollama_proxy::codec;

namespace {

/// A head that is complete cannot have been refused on any of its prefixes, and stays the same
/// whatever follows it.
template <class Head, class Parse>
void check(std::string_view text, Parse parse) {
    Head head;
    const HeadOutcome whole = parse(text, head);
    if (whole.state == HeadState::refused) {
        require(*whole.why != '\0', "a refusal says why");
        return;
    }
    if (whole.state == HeadState::need_more) return;
    require(head.size <= text.size(), "size lies in the buffer");
    require(text.substr(0, head.size).ends_with("\r\n"), "a head ends with a line end");
    for (const Field& field : head.fields) {
        require(!field.name.empty(), "names are not empty");
        require(field.value.find_first_of("\r\n") == std::string_view::npos,
                "no line end in a value");
        require(field.value.find('\0') == std::string_view::npos, "no NUL in a value");
    }
    const Framing framing = head.framing;
    const std::uint64_t length = head.content_length;
    const std::size_t size = head.size;
    for (std::size_t cut = 0; cut < size; ++cut) {
        Head part;
        require(parse(text.substr(0, cut), part).state == HeadState::need_more,
                "every prefix of a good head wants more");
    }
    Head exact;
    require(parse(text.substr(0, size), exact).state == HeadState::complete, "the head is enough");
    require(exact.framing == framing && exact.content_length == length && exact.size == size,
            "what follows a head does not change it");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    HeadLimits limits;
    limits.bytes = 512;
    limits.fields = 8;
    limits.target = 64;
    check<RequestHead>(text, [&](std::string_view part, RequestHead& head) {
        return parse_request_head(part, limits, head);
    });
    check<ResponseHead>(text, [&](std::string_view part, ResponseHead& head) {
        return parse_response_head(part, limits, "POST", head);
    });
    return 0;
}
