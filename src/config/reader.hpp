#pragma once

#include "config/node.hpp"
#include "ollama_proxy/config/load.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::config {

/// What one load carries along: the places of keys, the environment's overrides, and every problem
/// found so far. The typed getters report a wrong value and return nullopt.
class Reader {
  public:
    Reader(std::string filename, const Environment& environment);

    void problem(const Place& place, std::string key, std::string text);
    /// The same, at the place where `key` was written, else at the nearest section around it.
    void problem(const std::string& key, std::string text);
    void warn(std::string text) { warnings.push_back(std::move(text)); }

    [[nodiscard]] std::optional<bool> boolean(const Node& node, const std::string& key);
    [[nodiscard]] std::optional<std::int64_t> integer(const Node& node, const std::string& key,
                                                      std::int64_t low, std::int64_t high);
    [[nodiscard]] std::optional<double> number(const Node& node, const std::string& key, double low,
                                               double high);
    [[nodiscard]] std::optional<std::string> text(const Node& node, const std::string& key);
    [[nodiscard]] std::optional<std::vector<std::string>> strings(const Node& node,
                                                                  const std::string& key);
    /// Name -> value, in the order written.
    [[nodiscard]] std::optional<std::vector<std::pair<std::string, std::string>>> string_map(
        const Node& node, const std::string& key);
    /// `what` names the words: "expected one of text, json, journal".
    void not_a_word(const Node& node, const std::string& key,
                    const std::vector<std::string>& words);

    /// The environment's value for a key, as a node; null when there is none.
    [[nodiscard]] const Node* override_for(const std::string& key) const;

    void remember(const std::string& key, const Place& place) { places_[key] = place; }
    [[nodiscard]] bool was_given(const std::string& key) const { return places_.contains(key); }
    [[nodiscard]] Place place_of(const std::string& key) const;

    const Environment& environment;
    Secrets secrets = Secrets::needed;
    std::vector<Problem> problems;
    std::vector<std::string> warnings;
    std::set<std::string> referenced_variables;  ///< named by key_env and the like

    /// Filled from the environment before reading: key path -> value.
    std::map<std::string, Node> overrides;

  private:
    void wrong_type(const Node& node, const std::string& key, const std::string& expected);

    std::string filename_;
    std::map<std::string, Place> places_;
};

/// "127", "0.5": a number as people write it.
[[nodiscard]] std::string plain(double number);

}  // namespace ollama_proxy::config
