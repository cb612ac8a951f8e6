#include "config/reader.hpp"

#include "config/suggest.hpp"
#include "ollama_proxy/common/ascii.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace ollama_proxy::config {
namespace {

constexpr std::size_t kShownText = 60;

std::string describe(const Node& node) {
    switch (node.kind) {
        case Node::Kind::null:
            return "nothing";
        case Node::Kind::list:
            return "a list";
        case Node::Kind::map:
            return "a section";
        case Node::Kind::scalar:
            break;
    }
    std::string shown = node.text.substr(0, kShownText);
    if (shown.size() < node.text.size()) shown += "...";
    return (node.quoted ? "the text \"" : "\"") + shown + "\"";
}

std::string range(double low, double high) { return plain(low) + ".." + plain(high); }

}  // namespace

std::string plain(double number) {
    std::array<char, 400> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number,
                                   std::chars_format::fixed);
    return {buffer.data(), end.ptr};
}

Reader::Reader(std::string filename, const Environment& env)
    : environment(env), filename_(std::move(filename)) {}

void Reader::problem(const Place& place, std::string key, std::string text) {
    problems.push_back({place.origin.empty() ? filename_ : place.origin, place.line, place.column,
                        std::move(key), std::move(text)});
}

void Reader::problem(const std::string& key, std::string text) {
    problem(place_of(key), key, std::move(text));
}

Place Reader::place_of(const std::string& key) const {
    std::string_view part = key;
    while (true) {
        if (const auto found = places_.find(std::string(part)); found != places_.end()) {
            return found->second;
        }
        const auto cut = part.find_last_of(".[");
        if (cut == std::string_view::npos) return {};
        part = part.substr(0, cut);
    }
}

void Reader::wrong_type(const Node& node, const std::string& key, const std::string& expected) {
    problem(node.place, key, "expected " + expected + ", found " + describe(node));
}

std::optional<bool> Reader::boolean(const Node& node, const std::string& key) {
    if (node.kind == Node::Kind::scalar && !node.quoted) {
        if (iequals(node.text, "true")) return true;
        if (iequals(node.text, "false")) return false;
    }
    wrong_type(node, key, "true or false");
    return std::nullopt;
}

std::optional<std::int64_t> Reader::integer(const Node& node, const std::string& key,
                                            std::int64_t low, std::int64_t high) {
    const std::string expected =
        "a whole number, " + std::to_string(low) + ".." + std::to_string(high);
    if (node.kind == Node::Kind::scalar && !node.quoted) {
        std::int64_t value = 0;
        const char* end = node.text.data() + node.text.size();
        const auto [stop, error] = std::from_chars(node.text.data(), end, value);
        if (stop == end && error == std::errc{} && value >= low && value <= high) return value;
        if (stop == end) {
            problem(node.place, key, node.text + " is out of range, expected " + expected);
            return std::nullopt;
        }
    }
    wrong_type(node, key, expected);
    return std::nullopt;
}

std::optional<double> Reader::number(const Node& node, const std::string& key, double low,
                                     double high) {
    const std::string expected = "a number, " + range(low, high);
    if (node.kind == Node::Kind::scalar && !node.quoted) {
        double value = 0;
        const char* end = node.text.data() + node.text.size();
        const auto [stop, error] = std::from_chars(node.text.data(), end, value);
        if (stop == end && error == std::errc{} && value >= low && value <= high) return value;
        if (stop == end && !std::isnan(value)) {
            problem(node.place, key, node.text + " is out of range, expected " + expected);
            return std::nullopt;
        }
    }
    wrong_type(node, key, expected);
    return std::nullopt;
}

std::optional<std::string> Reader::text(const Node& node, const std::string& key) {
    if (node.kind != Node::Kind::scalar) {
        wrong_type(node, key, "text");
        return std::nullopt;
    }
    // It ends up in headers, paths and log lines, where a line break or NUL would mean something.
    for (const char c : node.text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            problem(node.place, key, "control characters are not allowed");
            return std::nullopt;
        }
    }
    return node.text;
}

std::optional<std::vector<std::string>> Reader::strings(const Node& node, const std::string& key) {
    std::vector<std::string> out;
    if (node.kind == Node::Kind::null) return out;
    if (node.kind != Node::Kind::list) {
        wrong_type(node, key, "a list of texts such as [\"a\", \"b\"]");
        return std::nullopt;
    }
    bool good = true;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        const std::string item_key = key + "[" + std::to_string(i) + "]";
        remember(item_key, node.items[i]->place);
        auto item = text(*node.items[i], item_key);
        if (item && item->empty()) {
            problem(node.items[i]->place, item_key, "empty text");
            item.reset();
        }
        good = good && item.has_value();
        if (item) out.push_back(*std::move(item));
    }
    return good ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::vector<std::pair<std::string, std::string>>> Reader::string_map(
    const Node& node, const std::string& key) {
    std::vector<std::pair<std::string, std::string>> out;
    if (node.kind == Node::Kind::null) return out;
    if (node.kind != Node::Kind::map) {
        wrong_type(node, key, "names with texts such as { name: \"text\" }");
        return std::nullopt;
    }
    bool good = true;
    std::set<std::string> seen;
    for (const auto& entry : node.entries) {
        const auto name = text(*entry.key, key);
        if (!name || name->empty()) {
            if (name) problem(entry.key->place, key, "a name is empty");
            good = false;
            continue;
        }
        const std::string entry_key = key + "." + *name;
        if (!seen.insert(*name).second) {
            problem(entry.key->place, entry_key, "given twice");
            good = false;
            continue;
        }
        remember(entry_key, entry.value->place);
        auto value = text(*entry.value, entry_key);
        good = good && value.has_value();
        if (value) out.emplace_back(*name, *std::move(value));
    }
    return good ? std::optional(std::move(out)) : std::nullopt;
}

void Reader::not_a_word(const Node& node, const std::string& key,
                        const std::vector<std::string>& words) {
    std::string list;
    for (const std::string& word : words) list += (list.empty() ? "" : ", ") + word;
    problem(node.place, key,
            "expected one of " + list + ", found " + describe(node) +
                (node.kind == Node::Kind::scalar ? did_you_mean(node.text, words) : ""));
}

const Node* Reader::override_for(const std::string& key) const {
    const auto found = overrides.find(key);
    return found == overrides.end() ? nullptr : &found->second;
}

}  // namespace ollama_proxy::config
