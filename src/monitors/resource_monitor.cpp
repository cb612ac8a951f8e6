#include "ollama_proxy/monitors/resource_monitor.hpp"

#include "monitors/monitor_metrics.hpp"
#include "monitors/resource_monitor_impl.hpp"

#include <algorithm>
#include <utility>

namespace ollama_proxy::monitors {
namespace {

/// A driver's file that has not answered by then hangs.
constexpr std::chrono::seconds kReadLimit{2};

}  // namespace

ResourceMonitor::Impl::Impl(std::shared_ptr<const config::Config> config)
    : config_(std::move(config)),
      files_([](const std::filesystem::path& root) { return std::make_shared<KernelFiles>(root); }),
      nvml_library_("libnvidia-ml.so.1"),
      reader_(kReadLimit) {
    energy_->configure(*config_);
    offer_metrics(energy_, snapshot_);
}

void ResourceMonitor::Impl::start() {
    if (!config_->monitors.enabled) return;
    {
        std::lock_guard lock(energy_->wake_mutex);
        energy_->wake = [this] { wakeup_.ring(); };
    }
    thread_ = std::thread([this] { run(); });
}

void ResourceMonitor::Impl::stop() {
    {
        std::lock_guard lock(energy_->wake_mutex);
        energy_->wake = nullptr;
    }
    if (!thread_.joinable()) return;
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wakeup_.ring();
    thread_.join();
}

ResourceMonitor::ResourceMonitor(std::shared_ptr<const config::Config> config)
    : impl_(std::make_unique<Impl>(std::move(config))) {}

ResourceMonitor::~ResourceMonitor() { stop(); }

void ResourceMonitor::start() { impl_->start(); }

void ResourceMonitor::stop() { impl_->stop(); }

std::shared_ptr<const SystemSnapshot> ResourceMonitor::snapshot() const {
    return impl_->snapshot_->load();
}

EnergyLedger ResourceMonitor::energy() const { return EnergyLedger(impl_->energy_); }

void ResourceMonitor::subscribe(Listener listener) {
    impl_->listeners_.push_back(std::move(listener));
}

void ResourceMonitor::poke() {
    {
        std::lock_guard lock(impl_->mutex_);
        impl_->poked_ = true;
    }
    impl_->wakeup_.ring();
}

void ResourceMonitor::set_external(ExternalFacts facts) {
    {
        std::lock_guard lock(impl_->mutex_);
        if (impl_->external_ == facts) return;
        impl_->external_ = std::move(facts);
        impl_->external_new_ = true;
    }
    impl_->wakeup_.ring();
}

void ResourceMonitor::configure(std::shared_ptr<const config::Config> config) {
    impl_->energy_->configure(*config);
    {
        std::lock_guard lock(impl_->mutex_);
        impl_->config_ = std::move(config);
        impl_->poked_ = true;
    }
    impl_->wakeup_.ring();
}

std::vector<ThermalSample> ResourceMonitor::thermal_history(std::size_t count) const {
    std::lock_guard lock(impl_->history_mutex_);
    const std::size_t first = impl_->history_.size() - std::min(count, impl_->history_.size());
    return {impl_->history_.begin() + static_cast<std::ptrdiff_t>(first), impl_->history_.end()};
}

}  // namespace ollama_proxy::monitors
