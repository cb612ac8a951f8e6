#include "ollama_proxy/telemetry/metrics.hpp"

#include "telemetry/prometheus_text.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <variant>

namespace ollama_proxy::telemetry {
namespace {

struct Sampled {
    SampleKind kind;
    Registry::Read read;
};

bool is_name(std::string_view name) {
    const auto ok = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
               (c >= '0' && c <= '9');
    };
    return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
           std::all_of(name.begin(), name.end(), ok);
}

void check_names(const std::string& name, const std::vector<std::string>& labels) {
    if (!is_name(name) || !std::all_of(labels.begin(), labels.end(), is_name)) {
        throw std::logic_error("not a metric or label name: " + name);
    }
}

}  // namespace

struct Registry::Entry {
    std::string help;
    std::vector<std::string> labels;
    std::variant<std::unique_ptr<Family<Counter>>, std::unique_ptr<Family<Gauge>>,
                 std::unique_ptr<Family<Histogram>>, Sampled>
        metric;
};

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), buckets_(bounds_.size() + 1) {
    if (!std::is_sorted(bounds_.begin(), bounds_.end())) {
        throw std::logic_error("histogram bounds must ascend");
    }
}

std::size_t Histogram::bucket_of(double value) const {
    const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value);
    return static_cast<std::size_t>(bucket - bounds_.begin());
}

void Histogram::observe(double value) {
    buckets_[bucket_of(value)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

void Histogram::add(std::span<const std::uint32_t> buckets, double sum) {
    for (std::size_t i = 0; i < buckets_.size() && i < buckets.size(); ++i) {
        if (buckets[i] > 0) buckets_[i].fetch_add(buckets[i], std::memory_order_relaxed);
    }
    sum_.fetch_add(sum, std::memory_order_relaxed);
}

LocalHistogram::LocalHistogram(Histogram& target)
    : target_(target.bounds().size() < kMaxBuckets ? &target : nullptr) {}

LocalHistogram& LocalHistogram::operator=(LocalHistogram&& other) noexcept {
    if (this == &other) return *this;
    flush();
    target_ = std::exchange(other.target_, nullptr);
    buckets_ = other.buckets_;
    sum_ = other.sum_;
    flush_at_ = other.flush_at_;
    return *this;
}

void LocalHistogram::flush() {
    if (target_ == nullptr) return;
    target_->add(buckets_, sum_);
    buckets_ = {};
    sum_ = 0;
}

void LocalHistogram::flush_and_wait(TimePoint now) {
    flush();
    flush_at_ = now + std::chrono::seconds(1);
}

Registry::Registry() = default;
Registry::~Registry() = default;

template <class Metric>
Family<Metric>& Registry::family(const std::string& name, const std::string& help,
                                 std::vector<std::string> labels, std::size_t max_sets,
                                 typename Family<Metric>::Make make) {
    check_names(name, labels);
    std::lock_guard lock(mutex_);
    auto& entry = entries_[name];
    if (!entry) {
        auto made = std::make_unique<Family<Metric>>(labels.size(), max_sets, std::move(make));
        entry = std::make_unique<Entry>(Entry{help, std::move(labels), std::move(made)});
    }
    auto* existing = std::get_if<std::unique_ptr<Family<Metric>>>(&entry->metric);
    if (existing == nullptr) throw std::logic_error("metric of another kind: " + name);
    return **existing;
}

Family<Counter>& Registry::counters(const std::string& name, const std::string& help,
                                    std::vector<std::string> labels, std::size_t max_sets) {
    return family<Counter>(name, help, std::move(labels), max_sets,
                           [] { return std::make_unique<Counter>(); });
}

Family<Gauge>& Registry::gauges(const std::string& name, const std::string& help,
                                std::vector<std::string> labels, std::size_t max_sets) {
    return family<Gauge>(name, help, std::move(labels), max_sets,
                         [] { return std::make_unique<Gauge>(); });
}

Family<Histogram>& Registry::histograms(const std::string& name, const std::string& help,
                                        std::vector<std::string> labels, std::vector<double> bounds,
                                        std::size_t max_sets) {
    return family<Histogram>(name, help, std::move(labels), max_sets, [bounds = std::move(bounds)] {
        return std::make_unique<Histogram>(bounds);
    });
}

Counter& Registry::counter(const std::string& name, const std::string& help) {
    return counters(name, help, {}, 1).with({});
}

Gauge& Registry::gauge(const std::string& name, const std::string& help) {
    return gauges(name, help, {}, 1).with({});
}

Histogram& Registry::histogram(const std::string& name, const std::string& help,
                               std::vector<double> bounds) {
    return histograms(name, help, {}, std::move(bounds), 1).with({});
}

void Registry::sampled(SampleKind kind, const std::string& name, const std::string& help,
                       std::vector<std::string> labels, Read read) {
    check_names(name, labels);
    auto made =
        std::make_unique<Entry>(Entry{help, std::move(labels), Sampled{kind, std::move(read)}});
    std::lock_guard lock(mutex_);
    auto& entry = entries_[name];
    if (entry && !std::holds_alternative<Sampled>(entry->metric)) {
        throw std::logic_error("metric of another kind: " + name);
    }
    entry = std::move(made);
}

void Registry::remove_sampled(const std::string& name) {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found != entries_.end() && std::holds_alternative<Sampled>(found->second->metric)) {
        entries_.erase(found);
    }
}

std::string Registry::prometheus_text() const {
    PrometheusText text;
    std::lock_guard lock(mutex_);
    for (const auto& [name, entry] : entries_) {
        const auto& labels = entry->labels;
        if (const auto* counters = std::get_if<0>(&entry->metric)) {
            text.head(name, entry->help, "counter");
            (*counters)->for_each([&](const LabelValues& values, const Counter& counter) {
                text.sample(name, labels, values, counter.value());
            });
        } else if (const auto* gauges = std::get_if<1>(&entry->metric)) {
            text.head(name, entry->help, "gauge");
            (*gauges)->for_each([&](const LabelValues& values, const Gauge& gauge) {
                text.sample(name, labels, values, gauge.value());
            });
        } else if (const auto* histograms = std::get_if<2>(&entry->metric)) {
            text.head(name, entry->help, "histogram");
            (*histograms)->for_each([&](const LabelValues& values, const Histogram& histogram) {
                text.histogram(name, labels, values, histogram);
            });
        } else {
            const auto& sampled = std::get<Sampled>(entry->metric);
            text.head(name, entry->help, sampled.kind == SampleKind::counter ? "counter" : "gauge");
            auto samples = sampled.read();
            if (samples.size() > kMaxLabelSets) samples.resize(kMaxLabelSets);
            for (auto& [values, value] : samples) {
                values.resize(labels.size());
                text.sample(name, labels, values, value);
            }
        }
    }
    return std::move(text).str();
}

Registry& metrics() {
    static Registry& registry = *new Registry;  // never destroyed: counters may come until the end
    return registry;
}

}  // namespace ollama_proxy::telemetry
