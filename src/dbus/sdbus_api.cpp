#include "dbus/sdbus_api.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <utility>

#if __has_include(<sdbus-c++/VTableItems.h>)
#define OLLAMA_PROXY_SDBUS_2 1
#endif

namespace ollama_proxy::dbus {

namespace {

constexpr const char* kExists = "org.freedesktop.DBus.Error.FileExists";
constexpr std::chrono::seconds kUsualLimit{25};  ///< the library's own

std::optional<std::chrono::microseconds> unless_endless(std::chrono::microseconds timeout) {
    if (timeout == std::chrono::microseconds::max()) return std::nullopt;
    return timeout;
}
#ifndef OLLAMA_PROXY_SDBUS_2
std::optional<std::chrono::microseconds> unless_endless(
    std::optional<std::chrono::microseconds> timeout) {
    return timeout ? unless_endless(*timeout) : std::nullopt;
}
#endif

}  // namespace

std::unique_ptr<sdbus::IConnection> open_session_bus() {
    return sdbus::createSessionBusConnection();
}

std::unique_ptr<sdbus::IConnection> open_system_bus() { return sdbus::createSystemBusConnection(); }

#ifdef OLLAMA_PROXY_SDBUS_2

std::unique_ptr<sdbus::IObject> export_object(sdbus::IConnection& connection,
                                              const std::string& path, const InterfaceSpec& spec) {
    auto object = sdbus::createObject(connection, sdbus::ObjectPath(path));
    std::vector<sdbus::VTableItem> table;
    for (const MethodSpec& method : spec.methods) {
        table.emplace_back(sdbus::MethodVTableItem{sdbus::MethodName(method.name),
                                                   sdbus::Signature(method.in),
                                                   method.in_names,
                                                   sdbus::Signature(method.out),
                                                   method.out_names,
                                                   method.call,
                                                   {}});
    }
    for (const PropertySpec& property : spec.properties) {
        sdbus::property_set_callback set;
        if (property.set) {
            set = [write = property.set](sdbus::PropertySetCall call) { write(call); };
        }
        table.emplace_back(sdbus::PropertyVTableItem{sdbus::PropertyName(property.name),
                                                     sdbus::Signature(property.signature),
                                                     property.get,
                                                     std::move(set),
                                                     {}});
    }
    for (const SignalSpec& signal : spec.signals) {
        table.emplace_back(sdbus::SignalVTableItem{
            sdbus::SignalName(signal.name), sdbus::Signature(signal.signature), signal.names, {}});
    }
    object->addVTable(sdbus::InterfaceName(spec.name), std::move(table));
    return object;
}

sdbus::Signal new_signal(sdbus::IObject& object, const std::string& interface,
                         const std::string& name) {
    return object.createSignal(sdbus::InterfaceName(interface), sdbus::SignalName(name));
}

void emit_properties_changed(sdbus::IObject& object, const std::string& interface,
                             const std::vector<std::string>& names) {
    std::vector<sdbus::PropertyName> typed(names.begin(), names.end());
    object.emitPropertiesChangedSignal(sdbus::InterfaceName(interface), typed);
}

std::unique_ptr<sdbus::IProxy> new_proxy(sdbus::IConnection& connection, const std::string& service,
                                         const std::string& path) {
    return sdbus::createProxy(connection, sdbus::ServiceName(service), sdbus::ObjectPath(path));
}

sdbus::MethodCall new_call(sdbus::IProxy& proxy, const std::string& interface,
                           const std::string& method) {
    return proxy.createMethodCall(sdbus::InterfaceName(interface), sdbus::MethodName(method));
}

void call_async(sdbus::IProxy& proxy, const sdbus::MethodCall& call, ReplyHandler handler) {
    proxy.callMethodAsync(call, [handler = std::move(handler)](sdbus::MethodReply reply,
                                                               std::optional<sdbus::Error> error) {
        handler(reply, error ? &*error : nullptr);
    });
}

sdbus::Slot add_match(sdbus::IConnection& connection, const std::string& rule,
                      std::function<void(sdbus::Message&)> handler) {
    return connection.addMatch(
        rule, [handler = std::move(handler)](sdbus::Message message) { handler(message); },
        sdbus::return_slot);
}

bool process(sdbus::IConnection& connection) { return connection.processPendingEvent(); }

static sdbus::Error error_of(const char* name, const std::string& sentence) {
    return sdbus::Error(sdbus::Error::Name(name), sentence);
}

static void take_name(sdbus::IConnection& connection, const std::string& name) {
    connection.requestName(sdbus::ServiceName(name));
}

static int event_fd_of(const sdbus::IConnection::PollData& data) { return data.eventFd; }

#else

std::unique_ptr<sdbus::IObject> export_object(sdbus::IConnection& connection,
                                              const std::string& path, const InterfaceSpec& spec) {
    auto object = sdbus::createObject(connection, path);
    for (const MethodSpec& method : spec.methods) {
        object->registerMethod(spec.name, method.name, method.in, method.in_names, method.out,
                               method.out_names, method.call);
    }
    for (const PropertySpec& property : spec.properties) {
        if (property.set) {
            object->registerProperty(spec.name, property.name, property.signature, property.get,
                                     property.set);
        } else {
            object->registerProperty(spec.name, property.name, property.signature, property.get);
        }
    }
    for (const SignalSpec& signal : spec.signals) {
        object->registerSignal(spec.name, signal.name, signal.signature, signal.names);
    }
    object->finishRegistration();
    return object;
}

sdbus::Signal new_signal(sdbus::IObject& object, const std::string& interface,
                         const std::string& name) {
    return object.createSignal(interface, name);
}

void emit_properties_changed(sdbus::IObject& object, const std::string& interface,
                             const std::vector<std::string>& names) {
    object.emitPropertiesChangedSignal(interface, names);
}

std::unique_ptr<sdbus::IProxy> new_proxy(sdbus::IConnection& connection, const std::string& service,
                                         const std::string& path) {
    auto proxy = sdbus::createProxy(connection, service, path);
    proxy->finishRegistration();
    return proxy;
}

sdbus::MethodCall new_call(sdbus::IProxy& proxy, const std::string& interface,
                           const std::string& method) {
    return proxy.createMethodCall(interface, method);
}

void call_async(sdbus::IProxy& proxy, const sdbus::MethodCall& call, ReplyHandler handler) {
    proxy.callMethod(call, std::move(handler));
}

sdbus::Slot add_match(sdbus::IConnection& connection, const std::string& rule,
                      std::function<void(sdbus::Message&)> handler) {
    return connection.addMatch(rule, std::move(handler));
}

bool process(sdbus::IConnection& connection) { return connection.processPendingRequest(); }

static sdbus::Error error_of(const char* name, const std::string& sentence) {
    return sdbus::Error(name, sentence);
}

static void take_name(sdbus::IConnection& connection, const std::string& name) {
    connection.requestName(name);
}

static int event_fd_of(const sdbus::IConnection::PollData&) { return -1; }

#endif

ShortCalls::ShortCalls(sdbus::IConnection& connection) : connection_(connection) {
    connection_.setMethodCallTimeout(kLimit);
}

ShortCalls::~ShortCalls() {
    try {
        connection_.setMethodCallTimeout(kUsualLimit);
    } catch (const sdbus::Error&) {  // of a connection that is lost: its end is near anyway
    }
}

void give_up_unsent(sdbus::IConnection& connection) {
    try {
        // the library writes what it can at once: a queue means that the other side does not read,
        // and closing would wait for it
        const PollWish wish = poll_wish(connection);
        if (wish.wants_write) ::shutdown(wish.fd, SHUT_RDWR);
    } catch (const sdbus::Error&) {  // lost: there is nothing to wait for
    }
}

bool request_name(sdbus::IConnection& connection, const std::string& name) {
    const ShortCalls limit(connection);
    try {
        take_name(connection, name);
        return true;
    } catch (const sdbus::Error& error) {
        if (error.getName() == kExists) return false;
        throw;
    }
}

PollWish poll_wish(sdbus::IConnection& connection) {
    const auto data = connection.getEventLoopPollData();
    return {data.fd, event_fd_of(data), (data.events & POLLOUT) != 0,
            unless_endless(data.getRelativeTimeout())};
}

sdbus::Error invalid_args(const std::string& sentence) {
    return error_of("org.freedesktop.DBus.Error.InvalidArgs", sentence);
}

sdbus::Error limits_exceeded(const std::string& sentence) {
    return error_of("org.freedesktop.DBus.Error.LimitsExceeded", sentence);
}

}  // namespace ollama_proxy::dbus
