#pragma once

#include "ollama_proxy/config/load.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::config {

/// Where a value was written. `origin` is empty for the file itself, else the name of the
/// variable or flag.
struct Place {
    std::string origin;
    int line = 0;
    int column = 0;
};

/// One YAML value with its place. Aliases share the anchored value.
struct Node {
    enum class Kind { null, scalar, list, map };
    using Ptr = std::shared_ptr<const Node>;
    struct Entry {
        Ptr key;
        Ptr value;
    };

    Kind kind = Kind::null;
    Place place;
    std::string text;     ///< of a scalar
    bool quoted = false;  ///< a quoted scalar is text, whatever it looks like
    std::vector<Ptr> items;
    std::vector<Entry> entries;  ///< as written, duplicates included
};

/// Parses one YAML document. Returns null after adding a problem (syntax with its place, more than
/// one document, too deep, too many values once aliases are followed); an empty document is a null
/// node.
[[nodiscard]] Node::Ptr parse_yaml(std::string_view text, const std::string& filename,
                                   std::vector<Problem>& problems);

}  // namespace ollama_proxy::config
