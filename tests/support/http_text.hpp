#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ollama_proxy::support {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// A head as text. A simple parser of its own on purpose: tests must not judge the daemon's
/// framing with the daemon's own code.
struct HeadText {
    std::string first_line;
    Headers headers;

    [[nodiscard]] std::string get(std::string_view name) const;  ///< first one, or empty
    [[nodiscard]] std::size_t count(std::string_view name) const;
    [[nodiscard]] bool is_chunked() const;
    [[nodiscard]] std::optional<std::uint64_t> length() const;
    /// The n-th blank-separated word of the first line.
    [[nodiscard]] std::string word(int n) const;
};

/// Cuts a head off the front of `bytes`; nothing while its blank line has not come.
[[nodiscard]] std::optional<HeadText> take_head(std::string& bytes);

enum class ChunkState {
    need_more,
    data,  ///< a chunk was cut off
    last,  ///< the last chunk and its trailers were cut off
    bad,
};
/// Cuts one whole chunk off the front of `bytes` and puts its payload in `data`.
[[nodiscard]] ChunkState take_chunk(std::string& bytes, std::string& data);

/// `payload` as one chunk; an empty payload gives the last chunk.
[[nodiscard]] std::string chunk_of(std::string_view payload);
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);

}  // namespace ollama_proxy::support
