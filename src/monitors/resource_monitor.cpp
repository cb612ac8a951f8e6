#include "monitors/gpu.hpp"
#include "monitors/resource_monitor_impl.hpp"
#include "ollama_proxy/telemetry/log.hpp"
#include "ollama_proxy/telemetry/metrics.hpp"

#include <algorithm>
#include <array>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace ollama_proxy::monitors {
namespace {

/// A driver's file that has not answered by then hangs.
constexpr std::chrono::seconds kReadLimit{2};
/// The first reading wakes NVIDIA's driver up, which takes its time.
constexpr std::chrono::seconds kNvmlLimit{5};
/// How often the energy of a device is read while it works.
constexpr std::chrono::milliseconds kEnergyInterval{250};
/// A value is believed for this many intervals after it was last read.
constexpr int kKeepReadings = 3;
constexpr std::size_t kHistory = 720;

std::vector<telemetry::Sample> energy_samples(const std::shared_ptr<EnergyLedger::Impl>& energy) {
    std::vector<telemetry::Sample> out;
    if (!energy) return out;
    for (const BackendEnergy& backend : energy->totals()) {
        for (std::size_t i = 0; i < kEnergySources; ++i) {
            if (backend.joules[i] <= 0) continue;
            const auto source = static_cast<EnergySource>(i);
            out.push_back(
                {{backend.backend_id, std::string(to_string(source))}, backend.joules[i]});
        }
    }
    return out;
}

std::vector<telemetry::Sample> sensor_samples(
    const std::shared_ptr<const SystemSnapshot>& snapshot) {
    std::vector<telemetry::Sample> out;
    if (!snapshot) return out;
    for (const Sensor& sensor : snapshot->sensors) {
        if (!sensor.value) continue;
        out.push_back({{sensor.name, std::string(to_string(sensor.kind))}, *sensor.value});
    }
    return out;
}

}  // namespace

Wakeup::Wakeup() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
Wakeup::~Wakeup() {
    if (fd_ >= 0) ::close(fd_);
}

void Wakeup::ring() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof one);
}

void Wakeup::quiet() {
    std::uint64_t rung = 0;
    [[maybe_unused]] const ssize_t got = ::read(fd_, &rung, sizeof rung);
}

ResourceMonitor::Impl::Impl(std::shared_ptr<const config::Config> config)
    : config_(std::move(config)),
      files_([](const std::filesystem::path& root) { return std::make_shared<KernelFiles>(root); }),
      nvml_library_("libnvidia-ml.so.1"),
      reader_(kReadLimit) {
    energy_->configure(*config_);
    telemetry::metrics().sampled(
        telemetry::SampleKind::counter, "ollama_proxy_energy_joules_total",
        "Energy charged to requests, by where the number comes from.", {"backend", "source"},
        [energy = std::weak_ptr(energy_)] { return energy_samples(energy.lock()); });
    telemetry::metrics().sampled(
        telemetry::SampleKind::gauge, "ollama_proxy_sensor_value",
        "Last reading of each sensor: degrees Celsius, revolutions per minute or watts.",
        {"sensor", "kind"}, [snapshot = std::weak_ptr(snapshot_)] {
            const auto cell = snapshot.lock();
            return sensor_samples(cell ? cell->load() : nullptr);
        });
}

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
    uevents_.emplace();
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

void ResourceMonitor::Impl::ask_nvml(const config::Config& config, Readings& readings) {
    if (!config.monitors.nvml) return;
    std::vector<Part*> parts;
    std::vector<std::string> gpus;
    const bool listed = std::ranges::any_of(readings.parts, is_nvidia);
    const bool wanted = std::ranges::any_of(config.backends, [](const config::Backend& backend) {
        return backend.hardware == config::Hardware::nvidia;
    });
    if (!listed && wanted && readings.nvidia_driver) {
        // containers often hide the bus and show the GPU
        Part part;
        part.kind = Part::Kind::gpu;
        part.driver = "nvidia";
        part.power_source = PowerSource::nvml;
        readings.parts.push_back(std::move(part));
    }
    for (Part& part : readings.parts) {
        if (!is_nvidia(part) || part.asleep) continue;
        parts.push_back(&part);
        gpus.push_back(part.pci.empty() ? "#0" : part.pci);
    }
    if (gpus.empty()) return;
    if (!nvml_) nvml_.emplace(nvml_library_, kNvmlLimit);
    const std::vector<NvmlFacts> facts = nvml_->read(gpus);
    for (std::size_t i = 0; i < facts.size() && i < parts.size(); ++i) {
        Part& part = *parts[i];
        part.temperatures.push_back({"GPU", facts[i].celsius, {}});
        part.first_is_main = true;
        if (facts[i].fan_percent) part.fans.push_back({"fan", {}, facts[i].fan_percent});
        part.watts = facts[i].watts;
        part.slows_down = facts[i].slows_down;
    }
}

void ResourceMonitor::Impl::say_once(const Readings& readings) {
    if (!readings.rapl.denied || denied_said_) return;
    denied_said_ = true;
    telemetry::log_info(
        "the processor's energy counters may be read by root only: its energy is estimated from "
        "the configured watts; a udev rule can open them to a group",
        {{"files", "class/powercap/intel-rapl:*/energy_uj"}});
}

void ResourceMonitor::Impl::look(const config::Config& config, const ExternalFacts& external,
                                 Clock::duration pace) {
    auto readings = reader_.read(files_(config.monitors.sysfs_root),
                                 files_(config.monitors.proc_root), config.backends);
    if (readings) {
        say_once(*readings);
        ask_nvml(config, *readings);
        energy_->bind(config, *readings, config.monitors.nvml && (!nvml_ || nvml_->usable()));
    }
    Moment now;
    now.steady = Clock::now();
    now.wall = std::chrono::system_clock::now();
    now.keep = kKeepReadings * pace;
    auto next = std::make_shared<const SystemSnapshot>(
        assembler_.assemble(std::move(readings), config, external, now));
    tell(*snapshot_->load(), *next);
    {
        std::lock_guard lock(history_mutex_);
        history_.push_back({next->cpu_temperature_c, next->gpu_temperature_c, next->wall_time});
        if (history_.size() > kHistory) history_.pop_front();
    }
    publish(std::move(next));
}

bool ResourceMonitor::Impl::measure(const config::Config& config) {
    const auto meters = energy_->working();
    if (meters.empty()) return false;
    struct Round {
        std::vector<EnergyTap> taps;
        std::vector<std::optional<TapReading>> readings;
    };
    const auto round = std::make_shared<Round>();
    for (const auto& meter : meters) round->taps.push_back(*meter->tap());
    const bool done = reader_.run(files_(config.monitors.sysfs_root), [round](FileReader& files) {
        for (const EnergyTap& tap : round->taps) round->readings.push_back(read_tap(files, tap));
    });
    if (!done) return true;
    for (std::size_t i = 0; i < meters.size(); ++i) {
        auto& reading = round->readings[i];
        if (!reading) continue;
        const std::string& gpu = round->taps[i].nvml;
        if (!gpu.empty()) {
            if (!nvml_) nvml_.emplace(nvml_library_, kNvmlLimit);
            const auto facts = nvml_->read({gpu});
            if (facts.empty()) continue;
            if (facts[0].joules) reading->counters = {*facts[0].joules};
            reading->watts = facts[0].watts;
        }
        meters[i]->take(*reading, Clock::now());
    }
    return true;
}

void ResourceMonitor::Impl::tell(const SystemSnapshot& before, const SystemSnapshot& now) {
    if (now.thermal.events == before.thermal.events || !now.thermal.last_event) return;
    const std::string kind{to_string(now.thermal.last_event->kind)};
    const std::string hottest =
        now.thermal.hottest_c ? std::to_string(static_cast<int>(*now.thermal.hottest_c)) : "";
    telemetry::metrics()
        .counters("ollama_proxy_thermal_events_total", "Changes of the thermal state.", {"kind"})
        .with({kind})
        .add(now.thermal.events - before.thermal.events);
    if (now.thermal.last_event->kind == ThermalEventKind::recovery) {
        telemetry::log_info("the machine has cooled down", {{"hottest_c", hottest}});
    } else {
        telemetry::log_warn("the machine is hot", {{"event", kind}, {"hottest_c", hottest}});
    }
}

void ResourceMonitor::Impl::publish(std::shared_ptr<const SystemSnapshot> snapshot) {
    snapshot_->store(snapshot);
    for (const Listener& listener : listeners_) listener(snapshot);
}

ResourceMonitor::ResourceMonitor(std::shared_ptr<const config::Config> config)
    : impl_(std::make_unique<Impl>(std::move(config))) {}

ResourceMonitor::~ResourceMonitor() { stop(); }

void ResourceMonitor::start() {
    if (!impl_->config_->monitors.enabled) return;
    {
        std::lock_guard lock(impl_->energy_->wake_mutex);
        impl_->energy_->wake = [impl = impl_.get()] { impl->wakeup_.ring(); };
    }
    impl_->thread_ = std::thread([impl = impl_.get()] { impl->run(); });
}

void ResourceMonitor::stop() {
    {
        std::lock_guard lock(impl_->energy_->wake_mutex);
        impl_->energy_->wake = nullptr;
    }
    if (!impl_->thread_.joinable()) return;
    {
        std::lock_guard lock(impl_->mutex_);
        impl_->stopping_ = true;
    }
    impl_->wakeup_.ring();
    impl_->thread_.join();
}

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
