#include "monitors/monitor_metrics.hpp"
#include "monitors/resource_monitor_impl.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <algorithm>
#include <array>
#include <poll.h>
#include <pthread.h>
#include <utility>

namespace ollama_proxy::monitors {
namespace {

/// How often the energy of a device is read while it works.
constexpr std::chrono::milliseconds kEnergyInterval{250};

}  // namespace

bool ResourceMonitor::Impl::sleep_until(TimePoint until) {
    const auto left = std::chrono::ceil<Milliseconds>(until - Clock::now());
    std::array<pollfd, 2> fds{{{wakeup_.fd(), POLLIN, 0}, {uevents_->fd(), POLLIN, 0}}};
    const auto limit = static_cast<int>(std::clamp<Milliseconds::rep>(left.count(), 0, 86'400'000));
    ::poll(fds.data(), fds.size(), limit);  // a negative descriptor is left out
    wakeup_.quiet();
    return fds[1].revents != 0 && uevents_->drain();
}

void ResourceMonitor::Impl::run() {
    pthread_setname_np(pthread_self(), "monitor");
    if (!uevents_) uevents_.emplace();
    if (uevents_->fd() < 0) {
        telemetry::log_info(
            "the kernel tells nothing of adapters and batteries here: they are read with every "
            "temperature only");
    }
    TimePoint looked = TimePoint::min();
    TimePoint measured = TimePoint::min();
    for (;;) {
        std::unique_lock lock(mutex_);
        if (stopping_) return;
        const auto config = config_;
        const ExternalFacts external = external_;
        const bool poked = std::exchange(poked_, false);
        const bool external_new = std::exchange(external_new_, false);
        lock.unlock();

        const bool watched = energy_->watched.load();
        const Clock::duration pace =
            watched ? config->monitors.interval : config->monitors.idle_interval;
        const TimePoint now = Clock::now();
        TimePoint next = now + pace;
        if (poked || looked == TimePoint::min() || now >= looked + pace) {
            looked = now;
            look(*config, external, pace);
        } else {
            next = looked + pace;
            if (external_new) {
                auto told = std::make_shared<SystemSnapshot>(*snapshot_->load());
                told->external = external;
                publish(std::move(told));
            }
        }
        if (watched) {
            bool reads = true;
            if (measured == TimePoint::min() || Clock::now() >= measured + kEnergyInterval) {
                measured = Clock::now();
                reads = measure(*config);
            }
            // without a counter to read, the next look at the machine is soon enough
            if (reads) next = std::min(next, measured + kEnergyInterval);
            if (!energy_->busy()) {
                energy_->watched.store(false);
                // a request that came in between saw itself watched and rang nobody
                if (energy_->busy()) energy_->watched.store(true);
            }
        }
        if (!energy_->watched.load() && nvml_) nvml_->release();
        if (sleep_until(next)) {
            std::lock_guard again(mutex_);
            poked_ = true;
        }
    }
}

void ResourceMonitor::Impl::publish(std::shared_ptr<const SystemSnapshot> snapshot) {
    snapshot_->store(snapshot);
    for (const Listener& listener : listeners_) listener(snapshot);
}

}  // namespace ollama_proxy::monitors
