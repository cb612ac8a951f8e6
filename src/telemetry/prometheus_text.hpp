#pragma once

#include "ollama_proxy/telemetry/metrics.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::telemetry {

/// Builds a page in Prometheus' text exposition format 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
class PrometheusText {
  public:
    using Names = std::vector<std::string>;

    /// The HELP and TYPE lines of one metric; its samples follow.
    void head(std::string_view name, std::string_view help, std::string_view type);
    void sample(std::string_view name, const Names& labels, const LabelValues& values,
                double value);
    void sample(std::string_view name, const Names& labels, const LabelValues& values,
                std::uint64_t value);
    /// Cumulative buckets, sum and count.
    void histogram(std::string_view name, const Names& labels, const LabelValues& values,
                   const Histogram& histogram);

    [[nodiscard]] std::string str() && { return std::move(out_); }

  private:
    void series(std::string_view name, std::string_view suffix, const Names& labels,
                const LabelValues& values, std::string_view le);

    std::string out_;
};

}  // namespace ollama_proxy::telemetry
