#include "monitors/deadline_lane.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <thread>

namespace ollama_proxy::monitors {

/// What one thread and whoever waits for it share.
struct DeadlineLane::Lane {
    std::mutex mutex;
    std::condition_variable changed;
    std::function<void()> job;
    bool busy = false;
    bool quit = false;
    std::thread thread;

    static void loop(const std::shared_ptr<Lane>& self) {
        std::unique_lock lock(self->mutex);
        for (;;) {
            self->changed.wait(lock, [&] { return self->quit || self->busy; });
            if (!self->busy) return;
            std::function<void()> job = std::move(self->job);
            lock.unlock();
            job();
            job = nullptr;  // what it owned goes before anybody hears that it is done
            lock.lock();
            self->busy = false;
            self->changed.notify_all();
        }
    }
};

DeadlineLane::DeadlineLane(std::string thread_name)
    : name_(std::move(thread_name)), hung_(std::make_shared<std::atomic<int>>(0)) {}

DeadlineLane::~DeadlineLane() {
    if (!lane_) return;
    {
        std::lock_guard lock(lane_->mutex);
        lane_->quit = true;
    }
    lane_->changed.notify_all();
    lane_->thread.join();  // it waits for a job, so it ends at once
}

bool DeadlineLane::run(std::function<void()> job, Clock::duration limit) {
    if (!lane_) {
        if (hung_->load() >= kMaxHung) return false;
        lane_ = std::make_shared<Lane>();
        lane_->thread = std::thread([lane = lane_, hung = hung_, name = name_] {
            pthread_setname_np(pthread_self(), name.c_str());
            Lane::loop(lane);
            std::lock_guard lock(lane->mutex);
            if (!lane->thread.joinable()) hung->fetch_sub(1);
        });
    }
    std::unique_lock lock(lane_->mutex);
    lane_->job = std::move(job);
    lane_->busy = true;
    lane_->changed.notify_all();
    if (lane_->changed.wait_for(lock, limit, [&] { return !lane_->busy; })) return true;
    lane_->quit = true;
    lane_->thread.detach();
    hung_->fetch_add(1);
    lock.unlock();
    lane_.reset();
    return false;
}

int DeadlineLane::hung() const { return hung_->load(); }

}  // namespace ollama_proxy::monitors
