#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::dbus {

/// The part of sdbus-c++ that this room uses, spelled so that versions 1 and 2 both fit: where they
/// differ is sdbus_api.cpp and nowhere else. Everything may throw sdbus::Error.

struct MethodSpec {
    const char* name;
    const char* in;
    std::vector<std::string> in_names;
    const char* out;
    std::vector<std::string> out_names;
    std::function<void(sdbus::MethodCall)> call;
};

struct PropertySpec {
    const char* name;
    const char* signature;
    std::function<void(sdbus::PropertyGetReply&)> get;
    std::function<void(sdbus::PropertySetCall&)> set;  ///< empty: read-only
};

struct SignalSpec {
    const char* name;
    const char* signature;
    std::vector<std::string> names;
};

struct InterfaceSpec {
    std::string name;
    std::vector<MethodSpec> methods;
    std::vector<PropertySpec> properties;
    std::vector<SignalSpec> signals;
};

/// Opens the bus that the environment names and shakes hands with it; blocks for that.
[[nodiscard]] std::unique_ptr<sdbus::IConnection> open_session_bus();
[[nodiscard]] std::unique_ptr<sdbus::IConnection> open_system_bus();

[[nodiscard]] std::unique_ptr<sdbus::IObject> export_object(sdbus::IConnection& connection,
                                                            const std::string& path,
                                                            const InterfaceSpec& spec);
[[nodiscard]] sdbus::Signal new_signal(sdbus::IObject& object, const std::string& interface,
                                       const std::string& name);
void emit_properties_changed(sdbus::IObject& object, const std::string& interface,
                             const std::vector<std::string>& names);

/// Calls that wait for the bus's answer (names, matches) wait this long at most, as long as one of
/// these lives; others are not waited for and may take their time.
class ShortCalls {
  public:
    static constexpr std::chrono::seconds kLimit{2};

    explicit ShortCalls(sdbus::IConnection& connection);
    ~ShortCalls();
    ShortCalls(const ShortCalls&) = delete;
    ShortCalls& operator=(const ShortCalls&) = delete;

  private:
    sdbus::IConnection& connection_;
};

/// Before the end of a connection: what a peer that does not read would hold up is not sent.
void give_up_unsent(sdbus::IConnection& connection);

/// False when another connection has the name.
[[nodiscard]] bool request_name(sdbus::IConnection& connection, const std::string& name);

[[nodiscard]] std::unique_ptr<sdbus::IProxy> new_proxy(sdbus::IConnection& connection,
                                                       const std::string& service,
                                                       const std::string& path);
[[nodiscard]] sdbus::MethodCall new_call(sdbus::IProxy& proxy, const std::string& interface,
                                         const std::string& method);
/// `error` is null for a reply. The handler does not run once the proxy has died.
using ReplyHandler = std::function<void(sdbus::MethodReply& reply, const sdbus::Error* error)>;
void call_async(sdbus::IProxy& proxy, const sdbus::MethodCall& call, ReplyHandler handler);

[[nodiscard]] sdbus::Slot add_match(sdbus::IConnection& connection, const std::string& rule,
                                    std::function<void(sdbus::Message&)> handler);

/// What to wait for until `process` is due.
struct PollWish {
    int fd = -1;
    int event_fd = -1;  ///< a second one, always for reading; -1: none
    bool wants_write = false;
    std::optional<std::chrono::microseconds> timeout;
};
[[nodiscard]] PollWish poll_wish(sdbus::IConnection& connection);
/// Does one thing that is due; false when nothing was.
bool process(sdbus::IConnection& connection);

/// org.freedesktop.DBus.Error.InvalidArgs with a sentence: to be thrown by a method.
[[nodiscard]] sdbus::Error invalid_args(const std::string& sentence);
/// org.freedesktop.DBus.Error.LimitsExceeded.
[[nodiscard]] sdbus::Error limits_exceeded(const std::string& sentence);

}  // namespace ollama_proxy::dbus
