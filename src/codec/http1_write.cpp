#include "ollama_proxy/codec/http1.hpp"

#include <algorithm>

namespace ollama_proxy::codec {

void append_field(std::string& out, std::string_view name, std::string_view value) {
    // one look at the capacity for the line, not one for each of its four parts
    const std::size_t before = out.size();
    out.resize(before + name.size() + value.size() + 4);
    char* at = std::copy(name.begin(), name.end(), out.data() + before);
    *at++ = ':';
    *at++ = ' ';
    at = std::copy(value.begin(), value.end(), at);
    *at++ = '\r';
    *at = '\n';
}

}  // namespace ollama_proxy::codec
