#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::support {

/// A page in Prometheus' text format, read by rules of its own (not the daemon's code) and
/// strictly: what a scraper or promtool would complain of is in `problems`.
struct Exposition {
    using Labels = std::map<std::string, std::string>;
    struct Series {
        Labels labels;
        double value = 0;
    };

    explicit Exposition(std::string_view text);

    std::vector<std::string> problems;
    std::map<std::string, std::string> types;           ///< family -> counter, gauge, histogram
    std::map<std::string, std::vector<Series>> series;  ///< sample name -> its series

    /// The sum over all series of that name whose labels include these; 0 when there is none.
    [[nodiscard]] double sum(const std::string& name, const Labels& labels = {}) const;
    [[nodiscard]] bool has(const std::string& name, const Labels& labels = {}) const;

  private:
    void read_comment(std::string_view line);
    void read_sample(std::string_view line);
    [[nodiscard]] std::string family_of(const std::string& name) const;
    void check_histogram(const std::string& family);

    std::map<std::string, std::string> helps_;
    std::string current_;  ///< the family whose lines are being read
};

}  // namespace ollama_proxy::support
