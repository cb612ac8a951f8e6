#pragma once

#include "config/node.hpp"
#include "config/reader.hpp"
#include "config/suggest.hpp"
#include "ollama_proxy/config/changes.hpp"
#include "ollama_proxy/config/load.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The parser is a table per section: key -> member, type and range. Reading a file, applying the
/// environment, comparing two configurations, the list of known keys and the "did you mean" all
/// come from the same rows.
namespace ollama_proxy::config {

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

}  // namespace ollama_proxy::config
