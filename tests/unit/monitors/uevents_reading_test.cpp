// An adapter or battery changes: the kernel's message leads to a reading at once. Over a socket
// pair everywhere, and over the kernel's own socket where a process may send through it.

#include "monitors/resource_monitor_impl.hpp"
#include "sysfs_folder.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/socket.h>
#include <thread>

namespace ollama_proxy::monitors {
namespace {

using namespace std::string_literals;

const std::string kAdapterEvent =
    "change@/devices/x/power_supply/AC\0ACTION=change\0DEVPATH=/devices/x/power_supply/AC\0"
    "SUBSYSTEM=power_supply\0"s;
const std::string kUsbEvent = "add@/devices/x/usb1\0ACTION=add\0SUBSYSTEM=usb\0"s;

/// A monitor of a laptop on battery, which by itself would look again in an hour.
class OnBattery {
  public:
    OnBattery() : impl_(configuration(sysfs)) {
        impl_.listeners_.push_back([this](const auto& snapshot) { published(snapshot); });
    }
    ~OnBattery() { impl_.stop(); }
    OnBattery(const OnBattery&) = delete;
    OnBattery& operator=(const OnBattery&) = delete;

    void hears(int fd) { impl_.uevents_.emplace(fd); }
    bool start() {
        impl_.start();
        return published.wait([](const auto& s) { return s.power.on_battery == true; });
    }
    /// The loop has been round since: it has seen what came before.
    bool turns() {
        {
            std::lock_guard lock(impl_.mutex_);
            impl_.external_.sleeping = true;
            impl_.external_new_ = true;
        }
        impl_.wakeup_.ring();
        return published.wait([](const auto& s) { return s.external.sleeping; });
    }
    [[nodiscard]] std::shared_ptr<const SystemSnapshot> snapshot() const {
        return impl_.snapshot_->load();
    }

    const Sysfs sysfs{test::intel_laptop()};
    Published published;

  private:
    ResourceMonitor::Impl impl_;
};

TEST(UeventReading, AMessageOfTheAdapterIsReadAtOnceAndOneOfAnythingElseIsNot) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    {
        OnBattery laptop;
        laptop.hears(ends[0]);
        ASSERT_TRUE(laptop.start());
        laptop.sysfs.set("class/power_supply/AC/online", "1");
        ASSERT_EQ(::send(ends[1], kUsbEvent.data(), kUsbEvent.size(), 0),
                  static_cast<ssize_t>(kUsbEvent.size()));
        ASSERT_TRUE(laptop.turns());
        EXPECT_EQ(laptop.snapshot()->power.on_battery, true);
        ASSERT_EQ(::send(ends[1], kAdapterEvent.data(), kAdapterEvent.size(), 0),
                  static_cast<ssize_t>(kAdapterEvent.size()));
        EXPECT_TRUE(
            laptop.published.wait([](const auto& s) { return s.power.on_battery == false; }));
    }
    ::close(ends[1]);
}

/// A descriptor of the kernel's messages, closed at the end.
class Netlink {
  public:
    Netlink() : fd_(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT)) {}
    ~Netlink() {
        if (fd_ >= 0) ::close(fd_);
    }
    Netlink(const Netlink&) = delete;
    Netlink& operator=(const Netlink&) = delete;

    /// To the kernel, which hands it on as its own (since 4.18, for who owns the network
    /// namespace); false where it does not.
    [[nodiscard]] bool through_the_kernel(const std::string& message) const {
        nlmsghdr head{};
        head.nlmsg_len = static_cast<std::uint32_t>(NLMSG_HDRLEN + message.size());
        head.nlmsg_type = NLMSG_MIN_TYPE;
        head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        std::string packet(NLMSG_HDRLEN, '\0');
        std::memcpy(packet.data(), &head, sizeof head);
        packet += message;
        if (!send_to(0, packet)) return false;
        std::array<char, 512> answer{};
        const ssize_t got = ::recv(fd_, answer.data(), answer.size(), 0);
        nlmsgerr verdict{};
        if (got < static_cast<ssize_t>(NLMSG_HDRLEN + sizeof verdict)) return false;
        std::memcpy(&verdict, answer.data() + NLMSG_HDRLEN, sizeof verdict);
        return verdict.error == 0;
    }
    [[nodiscard]] bool send_to(std::uint32_t port, const std::string& packet) const {
        sockaddr_nl to{};
        to.nl_family = AF_NETLINK;
        to.nl_pid = port;
        return ::sendto(fd_, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&to),
                        sizeof to) == static_cast<ssize_t>(packet.size());
    }

  private:
    int fd_;
};

/// Runs `body` on a thread in a network namespace of its own, so that no other program hears the
/// messages. False where that is not permitted.
template <class Body>
bool in_a_network_of_its_own(Body body) {
    bool permitted = false;
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) != 0) return;
        permitted = true;
        body();
    }).join();
    return permitted;
}

TEST(UeventReading, TheKernelsOwnMessageIsReadAtOnce) {
    bool sent = true;
    const bool permitted = in_a_network_of_its_own([&] {
        OnBattery laptop;
        ASSERT_TRUE(laptop.start());
        laptop.sysfs.set("class/power_supply/AC/online", "1");
        const Netlink kernel;
        sent = kernel.through_the_kernel(kAdapterEvent);
        if (!sent) return;
        EXPECT_TRUE(
            laptop.published.wait([](const auto& s) { return s.power.on_battery == false; }));
    });
    if (!permitted || !sent) GTEST_SKIP() << "only root may send through the kernel";
}

TEST(UeventSocket, BelievesTheKernelOnly) {
    bool sent = true;
    const bool permitted = in_a_network_of_its_own([&] {
        UeventSocket socket;
        ASSERT_GE(socket.fd(), 0);
        sockaddr_nl mine{};
        socklen_t size = sizeof mine;
        ASSERT_EQ(::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&mine), &size), 0);
        const Netlink sender;
        sent = sender.send_to(mine.nl_pid, kAdapterEvent);
        if (!sent) return;
        pollfd readable{socket.fd(), POLLIN, 0};
        ASSERT_EQ(::poll(&readable, 1, 20'000), 1);
        EXPECT_FALSE(socket.drain());
        ASSERT_TRUE(sender.through_the_kernel(kAdapterEvent));
        ASSERT_EQ(::poll(&readable, 1, 20'000), 1);
        EXPECT_TRUE(socket.drain());
        ASSERT_TRUE(sender.through_the_kernel(kUsbEvent));
        ASSERT_EQ(::poll(&readable, 1, 20'000), 1);
        EXPECT_FALSE(socket.drain());
    });
    if (!permitted || !sent) GTEST_SKIP() << "only root may send through the kernel";
}

}  // namespace
}  // namespace ollama_proxy::monitors
