#include "app/stop_signals.hpp"

#include <csignal>
#include <pthread.h>
#include <unistd.h>
#include <utility>

namespace ollama_proxy::app {
namespace {

constexpr int kBySignal =
    128;  // what a shell adds to the number of the signal that ended a process

sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

}  // namespace

StopSignals::StopSignals() {
    std::signal(SIGPIPE, SIG_IGN);  // a peer that left is an error code of the write
    const sigset_t set = handled_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    thread_ = std::thread([this] { take(); });
}

StopSignals::~StopSignals() {
    done_ = true;
    pthread_kill(thread_.native_handle(), SIGTERM);  // wakes sigwait
    thread_.join();
}

int StopSignals::wait() { return first_.get_future().get(); }

void StopSignals::on_hangup(std::function<void()> hear) {
    std::lock_guard lock(mutex_);
    on_hangup_ = std::move(hear);
    if (on_hangup_ && std::exchange(hung_up_, false)) on_hangup_();
}

void StopSignals::take() {
    pthread_setname_np(pthread_self(), "signals");
    const sigset_t set = handled_signals();
    for (bool stopping = false;;) {
        int signal = 0;
        if (sigwait(&set, &signal) != 0) continue;
        if (done_) return;
        if (signal == SIGHUP) {
            std::lock_guard lock(mutex_);
            hung_up_ = !on_hangup_;
            if (on_hangup_) on_hangup_();
            continue;
        }
        if (stopping) ::_exit(kBySignal + signal);
        stopping = true;
        first_.set_value(signal);
    }
}

}  // namespace ollama_proxy::app
