#include "support/exposition.hpp"

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

namespace ollama_proxy::support {
namespace {

const std::regex kName("[a-zA-Z_:][a-zA-Z0-9_:]*");
const std::regex kLabelName("[a-zA-Z_][a-zA-Z0-9_]*");

bool ends_with(std::string_view text, std::string_view end) { return text.ends_with(end); }

std::string without(std::string_view text, std::string_view end) {
    return std::string(text.substr(0, text.size() - end.size()));
}

/// What stands between quotes, from behind the opening one; `at` moves behind the closing one.
bool read_quoted(std::string_view text, std::size_t& at, std::string& out) {
    for (; at < text.size(); ++at) {
        if (text[at] == '"') {
            ++at;
            return true;
        }
        if (text[at] != '\\') {
            out += text[at];
            continue;
        }
        if (++at == text.size()) return false;
        if (text[at] == 'n') {
            out += '\n';
        } else if (text[at] == '\\' || text[at] == '"') {
            out += text[at];
        } else {
            return false;
        }
    }
    return false;
}

/// `name="value",...}`; `at` moves behind the bracket.
bool read_labels(std::string_view text, std::size_t& at, Exposition::Labels& out) {
    while (at < text.size() && text[at] != '}') {
        const std::size_t equals = text.find("=\"", at);
        if (equals == text.npos) return false;
        const std::string name(text.substr(at, equals - at));
        if (!std::regex_match(name, kLabelName)) return false;
        at = equals + 2;
        std::string value;
        if (!read_quoted(text, at, value) || !out.emplace(name, value).second) return false;
        if (at < text.size() && text[at] == ',') ++at;
    }
    return at++ < text.size();
}

bool includes(const Exposition::Labels& all, const Exposition::Labels& wanted) {
    return std::ranges::all_of(wanted, [&](const auto& one) {
        const auto found = all.find(one.first);
        return found != all.end() && found->second == one.second;
    });
}

}  // namespace

Exposition::Exposition(std::string_view text) {
    if (!ends_with(text, "\n")) problems.emplace_back("the page does not end with a line end");
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty()) continue;
        if (line.front() == '#') {
            read_comment(line);
        } else {
            read_sample(line);
        }
    }
    for (const auto& [family, type] : types) {
        if (!helps_.contains(family)) problems.push_back(family + " has no HELP");
        if ((type == "counter") != ends_with(family, "_total")) {
            problems.push_back(family + ": counters, and only they, end with _total");
        }
        if (type == "histogram") check_histogram(family);
        for (std::string_view unit : {"_ms", "_milliseconds", "_minutes"}) {
            if (ends_with(family, unit)) problems.push_back(family + " is in no base unit");
        }
    }
    for (const auto& [name, all] : series) {
        std::set<Labels> seen;
        for (const Series& one : all) {
            if (!seen.insert(one.labels).second) problems.push_back(name + " comes twice");
        }
    }
}

void Exposition::read_comment(std::string_view line) {
    const std::string text(line);
    std::smatch match;
    static const std::regex kComment("# (HELP|TYPE) ([^ ]+) (.+)");
    if (!std::regex_match(text, match, kComment)) {
        problems.push_back("not understood: " + text);
        return;
    }
    const std::string family = match[2];
    if (!std::regex_match(family, kName)) problems.push_back("bad name: " + family);
    auto& known = match[1] == "HELP" ? helps_ : types;
    if (!known.emplace(family, match[3]).second) problems.push_back("said twice: " + text);
    current_ = family;
}

std::string Exposition::family_of(const std::string& name) const {
    for (std::string_view part : {"_bucket", "_sum", "_count"}) {
        if (!ends_with(name, part)) continue;
        const auto type = types.find(without(name, part));
        if (type != types.end() && type->second == "histogram") return type->first;
    }
    return name;
}

void Exposition::read_sample(std::string_view line) {
    std::size_t at = std::min(line.find_first_of("{ "), line.size());
    const std::string name(line.substr(0, at));
    Series one;
    const bool labelled = at < line.size() && line[at] == '{';
    if (labelled && !read_labels(line, ++at, one.labels)) {
        problems.push_back("bad labels: " + std::string(line));
        return;
    }
    const std::string number(line.substr(std::min(at + 1, line.size())));
    std::size_t used = 0;
    try {
        one.value = number == "+Inf" ? INFINITY : std::stod(number, &used);
    } catch (const std::exception&) {
        used = number.size() + 1;
    }
    if (number != "+Inf" && used != number.size()) {
        problems.push_back("bad number: " + std::string(line));
    }
    const std::string family = family_of(name);
    if (!types.contains(family)) problems.push_back(name + " has no TYPE before it");
    if (family != current_) problems.push_back(name + " stands among another family's lines");
    series[name].push_back(std::move(one));
}

void Exposition::check_histogram(const std::string& family) {
    std::map<Labels, double> last;
    std::map<Labels, double> infinite;
    std::map<Labels, double> bound;
    for (const Series& bucket : series[family + "_bucket"]) {
        Labels rest = bucket.labels;
        const std::string le = rest["le"];
        rest.erase("le");
        const double limit = le == "+Inf" ? INFINITY : std::stod(le);
        if (bound.contains(rest) && limit <= bound[rest]) {
            problems.push_back(family + ": bounds do not ascend");
        }
        if (bucket.value < last[rest]) problems.push_back(family + ": buckets are not cumulative");
        bound[rest] = limit;
        last[rest] = bucket.value;
        if (le == "+Inf") infinite[rest] = bucket.value;
    }
    for (const Series& count : series[family + "_count"]) {
        if (!infinite.contains(count.labels) || infinite[count.labels] != count.value) {
            problems.push_back(family + ": +Inf is not the count");
        }
    }
    if (series[family + "_sum"].size() != series[family + "_count"].size()) {
        problems.push_back(family + ": a sum lacks");
    }
}

double Exposition::sum(const std::string& name, const Labels& labels) const {
    double out = 0;
    const auto found = series.find(name);
    if (found == series.end()) return 0;
    for (const Series& one : found->second) {
        if (includes(one.labels, labels)) out += one.value;
    }
    return out;
}

bool Exposition::has(const std::string& name, const Labels& labels) const {
    const auto found = series.find(name);
    return found != series.end() && std::ranges::any_of(found->second, [&](const Series& one) {
               return includes(one.labels, labels);
           });
}

}  // namespace ollama_proxy::support
