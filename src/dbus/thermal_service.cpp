#include "dbus/thermal_service.hpp"

#include "dbus/numbers.hpp"

#include <vector>

namespace ollama_proxy::dbus {
using monitors::ThermalEventKind;

namespace {

using Point = sdbus::Struct<double, double, std::uint64_t>;

std::uint64_t unix_ms(std::chrono::system_clock::time_point at) {
    const auto since = at.time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

/// What the daemon does about it.
std::string action_for(ThermalEventKind kind, config::Mode mode) {
    if (kind == ThermalEventKind::critical || kind == ThermalEventKind::fan_stopped) {
        return "UltraEfficiency";
    }
    const bool acts = kind == ThermalEventKind::high && mode == config::Mode::automatic;
    return acts ? "Quiet" : "none";
}

}  // namespace

ThermalService::ThermalService(boost::asio::io_context& context, BusLink& link,
                               monitors::ResourceMonitor& monitor,
                               efficiency::Controller& controller)
    : monitor_(monitor),
      controller_(controller),
      object_(link, "Thermal"),
      paced_(context, [this] { tell(); }) {}

void ThermalService::attach(sdbus::IConnection& connection) {
    told_events_ = monitor_.snapshot()->thermal.events;
    object_.attach(connection, spec());
}

InterfaceSpec ThermalService::spec() {
    InterfaceSpec spec;
    spec.methods = {
        {"GetThermalState",
         "",
         {},
         "ddis",
         {"cpu", "gpu", "rpm", "state"},
         [this](const auto& call) {
             const auto now = monitor_.snapshot();
             const std::string state =
                 now->thermal.state ? std::string(to_string(*now->thermal.state)) : "unknown";
             reply_to(call, or_nan(now->cpu_temperature_c), or_nan(now->gpu_temperature_c),
                      to_int(now->fan_rpm), state);
         }},
        {"GetThermalHistory",
         "i",
         {"count"},
         "a(ddt)",
         {"points"},
         [this](auto call) {
             std::int32_t count = 0;
             call >> count;
             if (count < 0) {
                 throw invalid_args("the count of points must not be negative");
             }
             std::vector<Point> points;
             for (const auto& sample : monitor_.thermal_history(static_cast<std::size_t>(count))) {
                 points.push_back(
                     Point{or_nan(sample.cpu_c), or_nan(sample.gpu_c), unix_ms(sample.at)});
             }
             reply_to(call, points);
         }},
        {"GetThrottledBackends", "", {}, "as", {"ids"}, [this](const auto& call) {
             std::vector<std::string> ids;
             const auto now = monitor_.snapshot();
             for (const auto& device : now->devices) {
                 if (device.throttled) ids.push_back(device.backend_id);
             }
             reply_to(call, ids);
         }}};
    spec.signals = {{"ThermalEvent", "sdds", {"kind", "cpu", "gpu", "action"}},
                    {"ThermalRecovery", "dd", {"cpu", "gpu"}}};
    return spec;
}

void ThermalService::refresh() {
    if (monitor_.snapshot()->thermal.events != told_events_) paced_.touch();
}

void ThermalService::tell() {
    const auto now = monitor_.snapshot();
    if (now->thermal.events == told_events_ || !now->thermal.last_event) return;
    told_events_ = now->thermal.events;
    const monitors::ThermalEvent& event = *now->thermal.last_event;
    const double cpu = or_nan(event.cpu_c);
    const double gpu = or_nan(event.gpu_c);
    if (event.kind == ThermalEventKind::recovery) {
        object_.emit("ThermalRecovery", cpu, gpu);
    } else {
        const std::string action = action_for(event.kind, controller_.state()->mode);
        object_.emit("ThermalEvent", std::string(to_string(event.kind)), cpu, gpu, action);
    }
}

}  // namespace ollama_proxy::dbus
