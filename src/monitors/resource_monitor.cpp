#include "ollama_proxy/monitors/resource_monitor.hpp"

#include "monitors/assembler.hpp"
#include "monitors/machine_reader.hpp"
#include "ollama_proxy/common/snapshot_cell.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <pthread.h>
#include <thread>

namespace ollama_proxy::monitors {
namespace {

/// A driver's file that has not answered by then hangs.
constexpr std::chrono::seconds kReadLimit{2};
/// A value is believed for this many intervals after it was last read.
constexpr int kKeepReadings = 3;
constexpr std::size_t kHistory = 720;

}  // namespace

struct ResourceMonitor::Impl {
    explicit Impl(std::shared_ptr<const config::Config> config) : config_(std::move(config)) {}

    void run();
    void look(const config::Config& config, const ExternalFacts& external, Clock::duration pace);
    void publish(std::shared_ptr<const SystemSnapshot> snapshot);

    SnapshotCell<SystemSnapshot> snapshot_{std::make_shared<const SystemSnapshot>()};
    std::vector<Listener> listeners_;
    std::thread thread_;

    std::mutex mutex_;  ///< what follows; never held while something is read or published
    std::condition_variable changed_;
    std::shared_ptr<const config::Config> config_;
    ExternalFacts external_;
    bool poked_ = false;
    bool external_new_ = false;
    bool busy_ = false;
    bool stopping_ = false;

    mutable std::mutex history_mutex_;
    std::deque<ThermalSample> history_;

    // used by the monitor's thread alone
    std::function<std::shared_ptr<FileReader>(const std::filesystem::path&)> files_ =
        [](const std::filesystem::path& root) { return std::make_shared<KernelFiles>(root); };
    MachineReader reader_{kReadLimit};
    Assembler assembler_;
};

void ResourceMonitor::Impl::run() {
    pthread_setname_np(pthread_self(), "monitor");
    TimePoint last = TimePoint::min();
    std::unique_lock lock(mutex_);
    for (;;) {
        const auto pace = [&] {
            return busy_ ? config_->monitors.interval : config_->monitors.idle_interval;
        };
        while (!stopping_ && !poked_ && !external_new_ && last != TimePoint::min() &&
               Clock::now() < last + pace()) {
            changed_.wait_until(lock, last + pace());
        }
        if (stopping_) return;
        const bool read = poked_ || last == TimePoint::min() || Clock::now() >= last + pace();
        poked_ = external_new_ = false;
        const auto config = config_;
        const ExternalFacts external = external_;
        const Clock::duration interval = pace();
        lock.unlock();
        if (read) {
            last = Clock::now();
            look(*config, external, interval);
        } else {
            auto next = std::make_shared<SystemSnapshot>(*snapshot_.load());
            next->external = external;
            publish(std::move(next));
        }
        lock.lock();
    }
}

void ResourceMonitor::Impl::look(const config::Config& config, const ExternalFacts& external,
                                 Clock::duration pace) {
    const auto sysfs = files_(config.monitors.sysfs_root);
    auto readings = reader_.read(sysfs, config.backends);
    Moment now;
    now.steady = Clock::now();
    now.wall = std::chrono::system_clock::now();
    now.keep = kKeepReadings * pace;
    publish(std::make_shared<const SystemSnapshot>(
        assembler_.assemble(std::move(readings), config, external, now)));
}

void ResourceMonitor::Impl::publish(std::shared_ptr<const SystemSnapshot> snapshot) {
    {
        std::lock_guard lock(history_mutex_);
        history_.push_back(
            {snapshot->cpu_temperature_c, snapshot->gpu_temperature_c, snapshot->wall_time});
        if (history_.size() > kHistory) history_.pop_front();
    }
    snapshot_.store(snapshot);
    for (const Listener& listener : listeners_) listener(snapshot);
}

ResourceMonitor::ResourceMonitor(std::shared_ptr<const config::Config> config)
    : impl_(std::make_unique<Impl>(std::move(config))) {}

ResourceMonitor::~ResourceMonitor() { stop(); }

void ResourceMonitor::start() {
    if (!impl_->config_->monitors.enabled) return;
    impl_->thread_ = std::thread([impl = impl_.get()] { impl->run(); });
}

void ResourceMonitor::stop() {
    if (!impl_->thread_.joinable()) return;
    {
        std::lock_guard lock(impl_->mutex_);
        impl_->stopping_ = true;
    }
    impl_->changed_.notify_all();
    impl_->thread_.join();
}

std::shared_ptr<const SystemSnapshot> ResourceMonitor::snapshot() const {
    return impl_->snapshot_.load();
}

void ResourceMonitor::subscribe(Listener listener) {
    impl_->listeners_.push_back(std::move(listener));
}

void ResourceMonitor::poke() {
    {
        std::lock_guard lock(impl_->mutex_);
        impl_->poked_ = true;
    }
    impl_->changed_.notify_all();
}

void ResourceMonitor::set_external(ExternalFacts facts) {
    {
        std::lock_guard lock(impl_->mutex_);
        if (impl_->external_ == facts) return;
        impl_->external_ = std::move(facts);
        impl_->external_new_ = true;
    }
    impl_->changed_.notify_all();
}

void ResourceMonitor::set_busy(bool busy) {
    {
        std::lock_guard lock(impl_->mutex_);
        if (impl_->busy_ == busy) return;
        impl_->busy_ = busy;
    }
    if (busy) impl_->changed_.notify_all();
}

void ResourceMonitor::configure(std::shared_ptr<const config::Config> config) {
    {
        std::lock_guard lock(impl_->mutex_);
        impl_->config_ = std::move(config);
        impl_->poked_ = true;
    }
    impl_->changed_.notify_all();
}

std::vector<ThermalSample> ResourceMonitor::thermal_history(std::size_t count) const {
    std::lock_guard lock(impl_->history_mutex_);
    const std::size_t first = impl_->history_.size() - std::min(count, impl_->history_.size());
    return {impl_->history_.begin() + static_cast<std::ptrdiff_t>(first), impl_->history_.end()};
}

}  // namespace ollama_proxy::monitors
