#pragma once

#include "dbus/exported_object.hpp"
#include "dbus/paced.hpp"
#include "ollama_proxy/efficiency/controller.hpp"

#include <cstdint>
#include <map>
#include <optional>

namespace ollama_proxy::dbus {

/// ie.fio.OllamaProxy.Efficiency: the mode, quiet hours and notification switches.
/// Thread: the bus thread only.
class EfficiencyService {
  public:
    EfficiencyService(boost::asio::io_context& context, BusLink& link,
                      efficiency::Controller& controller);

    void attach(sdbus::IConnection& connection);
    void detach();
    [[nodiscard]] const std::string& name() const { return object_.name(); }

    /// The controller has a new state.
    void refresh() { paced_.touch(); }

  private:
    [[nodiscard]] InterfaceSpec spec();
    void set_mode(sdbus::MethodCall call);
    void set_quiet_hours(sdbus::PropertySetCall& call);
    void set_notifications(sdbus::PropertySetCall& call);
    void wish(efficiency::Change change, std::uint64_t answer_to);
    void done(std::uint64_t answered);
    void tell();
    [[nodiscard]] config::QuietHours quiet_hours() const;
    [[nodiscard]] efficiency::NotificationSwitches notifications() const;

    boost::asio::io_context& context_;
    efficiency::Controller& controller_;
    ExportedObject object_;
    efficiency::StatePtr told_;
    Paced paced_;
    /// Calls that wait for the controller. Kept here because a message must not outlive its
    /// connection.
    std::map<std::uint64_t, sdbus::MethodCall> calls_;
    std::uint64_t next_wish_ = 1;
    std::size_t wishes_ = 0;     ///< on their way to the controller
    efficiency::Change wished_;  ///< what was set and is not in the state yet
};

}  // namespace ollama_proxy::dbus
