#pragma once

#include "config/node.hpp"
#include "config/reader.hpp"
#include "config/suggest.hpp"
#include "ollama_proxy/config/changes.hpp"
#include "ollama_proxy/config/load.hpp"
#include "ollama_proxy/config/words.hpp"

#include <chrono>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// The parser is a table per section: key -> member, type and range. Reading a file, applying the
/// environment, comparing two configurations, the list of known keys and the "did you mean" all
/// come from the same rows.
namespace ollama_proxy::config {

inline constexpr std::int64_t kMaxCount = 1'000'000;
inline constexpr std::int64_t kMaxMilliseconds = 86'400'000;
inline constexpr std::int64_t kMaxBytes = std::int64_t{1} << 40;

/// Whether a key is one of `keys_that_need_restart`.
[[nodiscard]] bool needs_restart(std::string_view key);

/// One value of two configurations; see `take_over_running`.
template <class V>
void compare_value(const std::string& key, const V& running, V& read, bool same, Changes& out) {
    if (same) return;
    out.keys.push_back(key);
    if (!needs_restart(key)) return;
    out.need_restart.push_back(key);
    read = running;
}

template <class T>
struct Field {
    using Read = std::function<void(Reader&, const Node*, const std::string& key, T&)>;
    using Describe = std::function<void(const std::string& key, std::vector<KeyInfo>&)>;
    using Compare =
        std::function<void(const std::string& key, const T& running, T& read, Changes& out)>;

    std::string_view name;
    KeyInfo info;             ///< type and range; the path is filled in by `describe`
    Read read;                ///< node is null only for a section that the file lacks
    Describe children{};      ///< of sections and lists
    Compare compare{};        ///< of all but hidden keys and those within lists
    bool section = false;     ///< read even when absent: the environment may set keys inside
    bool hidden = false;      ///< an older spelling: accepted, not listed
    bool loose_name = false;  ///< case and separators of the name do not matter
    std::vector<std::string_view> aliases{};

    Field also(std::string_view alias) && {
        aliases.push_back(alias);
        return std::move(*this);
    }
    Field as_hidden() && {
        hidden = true;
        return std::move(*this);
    }
    Field loosely() && {
        loose_name = true;
        return std::move(*this);
    }
    /// Its value is this member.
    template <class M>
    Field holds(M T::* member) && {
        compare = [member](const std::string& key, const T& running, T& now, Changes& out) {
            compare_value(key, running.*member, now.*member, running.*member == now.*member, out);
        };
        return std::move(*this);
    }
    /// Sets a flag when the key is given.
    Field marks(bool T::* flag) && {
        compare = [inner = std::move(compare), flag](const std::string& key, const T& running,
                                                     T& now, Changes& out) {
            if (running.*flag == now.*flag) return inner(key, running, now, out);
            out.keys.push_back(key);
        };
        read = [inner = std::move(read), flag](Reader& reader, const Node* node,
                                               const std::string& key, T& object) {
            inner(reader, node, key, object);
            object.*flag = true;
        };
        return std::move(*this);
    }
    [[nodiscard]] bool matches(std::string_view given) const {
        if (given == name || (loose_name && equals_loosely(given, name))) return true;
        for (const std::string_view alias : aliases) {
            if (given == alias) return true;
        }
        return false;
    }
};

template <class T>
using Table = std::vector<Field<T>>;

[[nodiscard]] inline std::string join_key(const std::string& parent, std::string_view name) {
    return parent.empty() ? std::string(name) : parent + "." + std::string(name);
}

/// Reads a mapping into `object`; `node` may be null (the environment alone is read then).
template <class T>
void read_table(const Table<T>& table, Reader& reader, const Node* node, const std::string& key,
                T& object) {
    std::vector<const Node*> values(table.size(), nullptr);
    if (node != nullptr && node->kind != Node::Kind::null && node->kind != Node::Kind::map) {
        reader.problem(
            node->place, key,
            "expected a section with keys, found " +
                std::string(node->kind == Node::Kind::list ? "a list" : "\"" + node->text + "\""));
        return;
    }
    if (node != nullptr) {
        for (const auto& entry : node->entries) {
            if (entry.key->kind != Node::Kind::scalar) {
                reader.problem(entry.key->place, key, "a key must be plain text");
                continue;
            }
            const std::string& given = entry.key->text;
            std::size_t row = 0;
            while (row < table.size() && !table[row].matches(given)) ++row;
            if (row == table.size()) {
                std::vector<std::string> names;
                for (const auto& field : table) {
                    if (!field.hidden) names.emplace_back(field.name);
                }
                reader.problem(entry.key->place, join_key(key, given),
                               "unknown key" + did_you_mean(given, names));
                continue;
            }
            if (values[row] != nullptr) {
                reader.problem(entry.key->place, join_key(key, given),
                               "given twice" + (given == table[row].name
                                                    ? std::string{}
                                                    : " (it is another spelling of \"" +
                                                          std::string(table[row].name) + "\")"));
                continue;
            }
            values[row] = entry.value.get();
        }
    }
    for (std::size_t row = 0; row < table.size(); ++row) {
        const Field<T>& field = table[row];
        const std::string field_key = join_key(key, field.name);
        const Node* value = values[row];
        if (const Node* set = field.hidden ? nullptr : reader.override_for(field_key)) value = set;
        if (value != nullptr) reader.remember(field_key, value->place);
        if (value != nullptr || (field.section && !field.hidden)) {
            field.read(reader, value, field_key, object);
        }
    }
}

template <class T>
void compare_table(const Table<T>& table, const std::string& key, const T& running, T& read,
                   Changes& out) {
    for (const Field<T>& field : table) {
        if (!field.hidden) field.compare(join_key(key, field.name), running, read, out);
    }
}

template <class T>
void describe_table(const Table<T>& table, const std::string& key, std::vector<KeyInfo>& out) {
    for (const Field<T>& field : table) {
        if (field.hidden) continue;
        KeyInfo info = field.info;
        info.path = join_key(key, field.name);
        out.push_back(info);
        if (field.children) field.children(info.path, out);
    }
}

// ---- rows -----------------------------------------------------------------------------------

template <class T>
Field<T> boolean(std::string_view name, bool T::* member) {
    return Field<T>{name,
                    {{}, "boolean", {}, {}, {}},
                    [member](Reader& reader, const Node* node, const std::string& key, T& object) {
                        if (const auto value = reader.boolean(*node, key)) object.*member = *value;
                    }}
        .holds(member);
}

/// A count; `M` is any unsigned or signed member, or an optional of one.
template <class T, class M>
Field<T> integer(std::string_view name, M T::* member, std::int64_t low, std::int64_t high) {
    return Field<T>{name,
                    {{}, "integer", static_cast<double>(low), static_cast<double>(high), {}},
                    [=](Reader& reader, const Node* node, const std::string& key, T& object) {
                        if (const auto value = reader.integer(*node, key, low, high)) {
                            if constexpr (std::is_arithmetic_v<M>) {
                                object.*member = static_cast<M>(*value);
                            } else {
                                object.*member = static_cast<typename M::value_type>(*value);
                            }
                        }
                    }}
        .holds(member);
}

template <class T, class M>
Field<T> count(std::string_view name, M T::* member, std::int64_t low = 1) {
    return integer(name, member, low, kMaxCount);
}

template <class T>
Field<T> duration(std::string_view name, milliseconds T::* member, std::int64_t low = 1) {
    return Field<T>{name,
                    {{}, "integer", static_cast<double>(low), double{kMaxMilliseconds}, {}},
                    [=](Reader& reader, const Node* node, const std::string& key, T& object) {
                        if (const auto value = reader.integer(*node, key, low, kMaxMilliseconds)) {
                            object.*member = milliseconds(*value);
                        }
                    }}
        .holds(member);
}

/// A timer that repeats: never faster than ten times a second.
template <class T>
Field<T> interval(std::string_view name, milliseconds T::* member) {
    return duration(name, member, 100);
}

/// `M` is double or optional<double>.
template <class T, class M>
Field<T> number(std::string_view name, M T::* member, double low, double high) {
    return Field<T>{name,
                    {{}, "number", low, high, {}},
                    [=](Reader& reader, const Node* node, const std::string& key, T& object) {
                        if (const auto value = reader.number(*node, key, low, high)) {
                            object.*member = *value;
                        }
                    }}
        .holds(member);
}

/// `M` is a string or a path.
template <class T, class M>
Field<T> text(std::string_view name, M T::* member) {
    return Field<T>{name,
                    {{}, "string", {}, {}, {}},
                    [=](Reader& reader, const Node* node, const std::string& key, T& object) {
                        // `key:` with nothing behind it is how people write "empty" for a text.
                        if (node->kind == Node::Kind::null) return;
                        if (auto value = reader.text(*node, key))
                            object.*member = *std::move(value);
                    }}
        .holds(member);
}

template <class T>
Field<T> strings(std::string_view name, std::vector<std::string> T::* member) {
    return Field<T>{name,
                    {{}, "strings", {}, {}, {}},
                    [=](Reader& reader, const Node* node, const std::string& key, T& object) {
                        if (auto value = reader.strings(*node, key))
                            object.*member = *std::move(value);
                    }}
        .holds(member);
}

/// One of a few words.
template <class T, class E>
Field<T> word(std::string_view name, E T::* member, std::optional<E> (*parse)(std::string_view),
              std::vector<std::string> words) {
    return Field<T>{name,
                    {{}, "enum", {}, {}, words},
                    [=](Reader& reader, const Node* node, const std::string& key, T& object) {
                        const auto value =
                            node->kind == Node::Kind::scalar ? parse(node->text) : std::nullopt;
                        if (value) {
                            object.*member = *value;
                        } else {
                            reader.not_a_word(*node, key, words);
                        }
                    }}
        .holds(member);
}

template <class T, class M>
Field<T> section(std::string_view name, M T::* member, Table<M> table) {
    Field<T> field{
        name,
        {{}, "section", {}, {}, {}},
        [member, table](Reader& reader, const Node* node, const std::string& key, T& object) {
            read_table(table, reader, node, key, object.*member);
        }};
    field.children = [table](const std::string& key, std::vector<KeyInfo>& out) {
        describe_table(table, key, out);
    };
    field.compare = [member, table](const std::string& key, const T& running, T& read,
                                    Changes& out) {
        compare_table(table, key, running.*member, read.*member, out);
    };
    field.section = true;
    return field;
}

/// A list of mappings; comparing it is the caller's. `finish` completes each after its keys were
/// read, even when some were wrong.
template <class T, class M>
Field<T> list(std::string_view name, std::vector<M> T::* member, Table<M> table,
              std::function<void(Reader&, const std::string& key, M&)> finish, M blank = {}) {
    Field<T> field{name,
                   {{}, "list", {}, {}, {}},
                   [=](Reader& reader, const Node* node, const std::string& key, T& object) {
                       (object.*member).clear();
                       if (node->kind == Node::Kind::null) return;
                       if (node->kind != Node::Kind::list) {
                           reader.problem(node->place, key,
                                          "expected a list, each entry starting with \"- \"");
                           return;
                       }
                       for (std::size_t i = 0; i < node->items.size(); ++i) {
                           const std::string item_key = key + "[" + std::to_string(i) + "]";
                           const Node& item = *node->items[i];
                           reader.remember(item_key, item.place);
                           M value = blank;
                           read_table(table, reader, &item, item_key, value);
                           if (item.kind == Node::Kind::map || item.kind == Node::Kind::null) {
                               finish(reader, item_key, value);
                           }
                           (object.*member).push_back(std::move(value));
                       }
                   }};
    field.children = [table](const std::string& key, std::vector<KeyInfo>& out) {
        describe_table(table, key + "[]", out);
    };
    return field;
}

}  // namespace ollama_proxy::config
