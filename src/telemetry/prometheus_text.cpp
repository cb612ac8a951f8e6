#include "telemetry/prometheus_text.hpp"

#include "telemetry/utf8.hpp"

#include <charconv>
#include <cmath>

namespace ollama_proxy::telemetry {
namespace {

/// Label values and help share `\\` and `\n`; only label values are quoted. The format is UTF-8.
void append_escaped(std::string& out, std::string_view text, bool quoted) {
    for (std::size_t i = 0; i < text.size();) {
        const auto [code, length] = decode_utf8(text.substr(i));
        if (length == 0) {
            out += "\xef\xbf\xbd";
            ++i;
            continue;
        }
        if (code == '\\') {
            out += "\\\\";
        } else if (code == '\n') {
            out += "\\n";
        } else if (code == '"' && quoted) {
            out += "\\\"";
        } else {
            out += text.substr(i, length);
        }
        i += length;
    }
}

void append_double(std::string& out, double value) {
    if (std::isnan(value)) {
        out += "NaN";
    } else if (std::isinf(value)) {
        out += value > 0 ? "+Inf" : "-Inf";
    } else {
        char buffer[32];
        out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
    }
}

std::string to_text(double value) {
    std::string out;
    append_double(out, value);
    return out;
}

}  // namespace

void PrometheusText::head(std::string_view name, std::string_view help, std::string_view type) {
    out_.append("# HELP ").append(name).append(" ");
    append_escaped(out_, help, false);
    out_.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
}

void PrometheusText::series(std::string_view name, std::string_view suffix, const Names& labels,
                            const LabelValues& values, std::string_view le) {
    out_.append(name).append(suffix);
    char separator = '{';
    const auto label = [&](std::string_view key, std::string_view value) {
        out_ += separator;
        out_.append(key).append("=\"");
        append_escaped(out_, value, true);
        out_ += '"';
        separator = ',';
    };
    for (std::size_t i = 0; i < labels.size(); ++i) label(labels[i], values[i]);
    if (!le.empty()) label("le", le);
    if (separator == ',') out_ += '}';
    out_ += ' ';
}

void PrometheusText::sample(std::string_view name, const Names& labels, const LabelValues& values,
                            double value) {
    series(name, "", labels, values, "");
    append_double(out_, value);
    out_ += '\n';
}

void PrometheusText::sample(std::string_view name, const Names& labels, const LabelValues& values,
                            std::uint64_t value) {
    series(name, "", labels, values, "");
    out_ += std::to_string(value);
    out_ += '\n';
}

void PrometheusText::histogram(std::string_view name, const Names& labels,
                               const LabelValues& values, const Histogram& histogram) {
    std::uint64_t count = 0;
    const auto& bounds = histogram.bounds();
    for (std::size_t i = 0; i <= bounds.size(); ++i) {
        count += histogram.in_bucket(i);
        series(name, "_bucket", labels, values, i < bounds.size() ? to_text(bounds[i]) : "+Inf");
        out_ += std::to_string(count);
        out_ += '\n';
    }
    series(name, "_sum", labels, values, "");
    append_double(out_, histogram.sum());
    out_ += '\n';
    series(name, "_count", labels, values, "");
    out_ += std::to_string(count);
    out_ += '\n';
}

}  // namespace ollama_proxy::telemetry
