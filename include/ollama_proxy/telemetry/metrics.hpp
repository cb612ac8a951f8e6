#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The numbers behind `/metrics`. Look a metric up once and keep the reference: it is valid as
/// long as the registry, and one update is one relaxed atomic operation.
namespace ollama_proxy::telemetry {

/// Only goes up. Any thread.
class Counter {
  public:
    void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

/// Goes up and down. Any thread.
class Gauge {
  public:
    void set(double value) { value_.store(value, std::memory_order_relaxed); }
    void add(double delta) { value_.fetch_add(delta, std::memory_order_relaxed); }
    [[nodiscard]] double value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<double> value_{0};
};

/// Observations by size. Any thread.
class Histogram {
  public:
    /// `bounds`: upper ends of the buckets, ascending; one for everything above is added.
    explicit Histogram(std::vector<double> bounds);
    void observe(double value);
    /// Adds what was counted elsewhere with the same bounds: one number per bucket, and their sum.
    void add(std::span<const std::uint32_t> buckets, double sum);
    /// The bucket that `value` belongs to.
    [[nodiscard]] std::size_t bucket_of(double value) const;

    [[nodiscard]] const std::vector<double>& bounds() const { return bounds_; }
    /// Observations in bucket `i` alone; `i == bounds().size()` is the one above all bounds.
    [[nodiscard]] std::uint64_t in_bucket(std::size_t i) const {
        return buckets_[i].load(std::memory_order_relaxed);
    }
    [[nodiscard]] double sum() const { return sum_.load(std::memory_order_relaxed); }

  private:
    const std::vector<double> bounds_;
    std::vector<std::atomic<std::uint64_t>> buckets_;
    std::atomic<double> sum_{0};
};

/// Observations of one thread on their way into a shared histogram: counted here without an atomic
/// operation, and handed over at most once a second and at the end. For what happens per token.
class LocalHistogram {
  public:
    static constexpr std::size_t kMaxBuckets = 16;

    LocalHistogram() = default;
    /// `target` outlives it and has fewer than kMaxBuckets bounds (else nothing is counted).
    explicit LocalHistogram(Histogram& target);
    LocalHistogram(LocalHistogram&& other) noexcept { *this = std::move(other); }
    LocalHistogram& operator=(LocalHistogram&& other) noexcept;
    ~LocalHistogram() { flush(); }

    void observe(double value, TimePoint now) {
        if (target_ == nullptr) return;
        ++buckets_[target_->bucket_of(value)];
        sum_ += value;
        if (now >= flush_at_) flush_and_wait(now);
    }
    void flush();

  private:
    void flush_and_wait(TimePoint now);

    Histogram* target_ = nullptr;
    std::array<std::uint32_t, kMaxBuckets> buckets_{};
    double sum_ = 0;
    TimePoint flush_at_{};
};

/// Metrics of one family for values that are numbered from 0, each looked up once. Any thread.
template <class Metric, std::size_t N>
class LazyMetrics {
  public:
    /// The metric of number `i`; `make()` looks it up the first time.
    template <class Make>
    Metric& at(std::size_t i, const Make& make) {
        Metric* metric = metrics_[i].load(std::memory_order_acquire);
        if (metric == nullptr) {
            metric = &make();
            metrics_[i].store(metric, std::memory_order_release);
        }
        return *metric;
    }

  private:
    std::array<std::atomic<Metric*>, N> metrics_{};
};

using LabelValues = std::vector<std::string>;

/// Metrics of one name, told apart by label values. The number of label sets is bounded: what
/// comes beyond the bound is counted under the value "other". Any thread; takes a short lock.
template <class Metric>
class Family {
  public:
    using Make = std::function<std::unique_ptr<Metric>()>;

    Family(std::size_t labels, std::size_t max_sets, Make make)
        : labels_(labels), max_sets_(max_sets), make_(std::move(make)) {}

    /// The metric for these values, in the order of the label names; missing ones are "".
    Metric& with(std::initializer_list<std::string_view> values) {
        LabelValues key(values.begin(), values.end());
        key.resize(labels_);
        std::lock_guard lock(mutex_);
        auto found = sets_.find(key);
        if (found == sets_.end()) {
            if (sets_.size() >= max_sets_) key.assign(labels_, "other");
            auto& slot = sets_[std::move(key)];
            if (!slot) slot = make_();
            return *slot;
        }
        return *found->second;
    }

    /// Calls `visit(values, metric)` for each, ordered by values.
    template <class Visit>
    void for_each(Visit visit) const {
        std::lock_guard lock(mutex_);
        for (const auto& [values, metric] : sets_) visit(values, *metric);
    }

  private:
    const std::size_t labels_;
    const std::size_t max_sets_;
    const Make make_;
    mutable std::mutex mutex_;
    std::map<LabelValues, std::unique_ptr<Metric>> sets_;
};

/// One value of a metric that is read when somebody asks.
struct Sample {
    LabelValues labels;
    double value = 0;
};

enum class SampleKind { counter, gauge };

/// All metrics of the process. Asking for a name again returns the first registration (it must
/// be of the same kind, else std::logic_error, as for a name or label that Prometheus refuses).
/// Thread: any.
class Registry {
  public:
    static constexpr std::size_t kMaxLabelSets = 256;

    Registry();
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    Counter& counter(const std::string& name, const std::string& help);
    Gauge& gauge(const std::string& name, const std::string& help);
    Histogram& histogram(const std::string& name, const std::string& help,
                         std::vector<double> bounds);

    Family<Counter>& counters(const std::string& name, const std::string& help,
                              std::vector<std::string> labels,
                              std::size_t max_sets = kMaxLabelSets);
    Family<Gauge>& gauges(const std::string& name, const std::string& help,
                          std::vector<std::string> labels, std::size_t max_sets = kMaxLabelSets);
    Family<Histogram>& histograms(const std::string& name, const std::string& help,
                                  std::vector<std::string> labels, std::vector<double> bounds,
                                  std::size_t max_sets = kMaxLabelSets);

    /// Values that already live elsewhere (states, queue lengths): `read` is called for each
    /// `prometheus_text()`, on its thread. Replaces an earlier registration of the name. At most
    /// kMaxLabelSets samples are shown.
    using Read = std::function<std::vector<Sample>()>;
    void sampled(SampleKind kind, const std::string& name, const std::string& help,
                 std::vector<std::string> labels, Read read);
    /// Afterwards `read` is not called any more. For sampled metrics only.
    void remove_sampled(const std::string& name);

    /// Everything in Prometheus' text format 0.0.4, ordered by name.
    [[nodiscard]] std::string prometheus_text() const;

  private:
    struct Entry;
    template <class Metric>
    Family<Metric>& family(const std::string& name, const std::string& help,
                           std::vector<std::string> labels, std::size_t max_sets,
                           typename Family<Metric>::Make make);

    mutable std::mutex mutex_;  ///< registration and text; never taken by an update
    std::map<std::string, std::unique_ptr<Entry>> entries_;
};

/// The process's registry; lives until the process ends.
[[nodiscard]] Registry& metrics();

}  // namespace ollama_proxy::telemetry
