// A bus that hangs: a real dbus-daemon that is stopped in its tracks.

#include "dbus/bus_link.hpp"

#include "support/environment.hpp"
#include "support/process.hpp"
#include "support/wait.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace ollama_proxy::dbus {
namespace {

/// A bus of its own, which the environment names as the session's.
class BusDaemon {
  public:
    BusDaemon() {
        std::array<int, 2> address{};
        if (::pipe(address.data()) != 0) return;
        const std::string where = "--address=unix:path=" + (folder_.path() / "bus").string();
        const std::string tell = "--print-address=" + std::to_string(address[1]);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--nopidfile",
                     where.c_str(), tell.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(address[1]);
        std::array<char, 512> text{};
        const ssize_t got = ::read(address[0], text.data(), text.size());
        ::close(address[0]);
        if (got <= 1) return;
        session_.emplace("DBUS_SESSION_BUS_ADDRESS",
                         std::string(text.data(), static_cast<std::size_t>(got) - 1));
    }
    ~BusDaemon() { end(); }
    BusDaemon(const BusDaemon&) = delete;
    BusDaemon& operator=(const BusDaemon&) = delete;

    [[nodiscard]] bool runs() const { return session_.has_value(); }
    void freeze() const {
        ::kill(pid_, SIGSTOP);
        ::waitpid(pid_, nullptr, WUNTRACED);
    }

    void end() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    void go_on() const { ::kill(pid_, SIGCONT); }

  private:
    support::TempDir folder_;
    std::optional<support::EnvGuard> session_;
    pid_t pid_ = -1;
};

class HangingBus : public testing::Test {
  protected:
    void SetUp() override {
        if (!daemon_.runs()) GTEST_SKIP() << "no dbus-daemon";
        threads_ = support::thread_count();
    }
    /// A thread that was left behind ends with the bus that it hangs on.
    void TearDown() override {
        daemon_.end();
        EXPECT_TRUE(support::eventually([&] { return support::thread_count() <= threads_; }));
    }
    /// Runs the bus thread's work here until `condition` holds.
    template <class Condition>
    bool run_until(Condition condition) {
        const auto guard = boost::asio::make_work_guard(context_);
        const TimePoint give_up = Clock::now() + support::kPatience;
        while (!condition() && Clock::now() < give_up) context_.run_one_for(Milliseconds(50));
        return condition();
    }

    BusDaemon daemon_;
    std::size_t threads_ = 0;
    boost::asio::io_context context_{1};
    int ups_ = 0;
    int downs_ = 0;
    BusLink link_{context_,
                  "session bus",
                  open_session_bus,
                  {[this](sdbus::IConnection&) { ++ups_; }, [this] { ++downs_; }}};
};

TEST_F(HangingBus, IsNotWaitedForWhenItIsOpened) {
    daemon_.freeze();
    link_.start();
    context_.run_one_for(Milliseconds(50));  // nothing comes
    EXPECT_EQ(ups_, 0);
    link_.stop();
    EXPECT_EQ(downs_, 0);
}

TEST_F(HangingBus, IsNotWaitedForWithWhatItDoesNotRead) {
    link_.start();
    ASSERT_TRUE(run_until([&] { return ups_ == 1; }));
    daemon_.freeze();
    InterfaceSpec spec;
    spec.name = "a.b";
    spec.signals = {{"C", "s", {"text"}}};
    bool queued = false;
    // until the kernel takes no more
    for (int i = 0; i < 10'000 && !queued; ++i) {
        link_.use([&](sdbus::IConnection& connection) {
            const auto object = export_object(connection, "/x", spec);
            auto signal = new_signal(*object, spec.name, "C");
            signal << std::string(10'000, 'x');
            object->emitSignal(signal);
            queued = poll_wish(connection).wants_write;
        });
    }
    ASSERT_TRUE(queued);
    link_.stop();  // closing would wait until all of it is read
    EXPECT_EQ(downs_, 1);
}

TEST_F(HangingBus, IsThereAsSoonAsItGoesOn) {
    daemon_.freeze();
    link_.start();
    daemon_.go_on();
    EXPECT_TRUE(run_until([&] { return ups_ == 1; }));
    link_.stop();
    EXPECT_EQ(downs_, 1);
}

}  // namespace
}  // namespace ollama_proxy::dbus
