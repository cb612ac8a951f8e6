#pragma once

#include "config/table.hpp"
#include "ollama_proxy/config/words.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// The kinds of row that a table is made of: for each type of value, how it is read.
namespace ollama_proxy::config {

inline constexpr std::int64_t kMaxCount = 1'000'000;
inline constexpr std::int64_t kMaxMilliseconds = 86'400'000;
inline constexpr std::int64_t kMaxBytes = std::int64_t{1} << 40;

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
