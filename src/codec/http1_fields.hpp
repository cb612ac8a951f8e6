#pragma once

#include "ollama_proxy/codec/http1.hpp"

namespace ollama_proxy::codec {

/// What the fields of a head say about framing and connection, gathered in the one pass.
struct FieldFacts {
    bool transfer_encoding = false;
    bool content_length_given = false;
    std::uint64_t content_length = 0;
    bool close = false;
    bool keep_alive = false;
    bool expect_continue = false;
    int hosts = 0;
    std::string_view host;
};

/// Parses field lines from `p` on, blank line included; `p` is moved behind it on success.
[[nodiscard]] HeadOutcome parse_fields(const char*& p, const char* end, std::size_t max_fields,
                                       std::vector<Field>& fields, FieldFacts& facts);

/// Expects CR LF at `p` and steps over it.
[[nodiscard]] HeadState take_line_end(const char*& p, const char* end);

/// True for a name or address with an optional port, as a Host field must have it.
[[nodiscard]] bool is_host(std::string_view host);

}  // namespace ollama_proxy::codec
