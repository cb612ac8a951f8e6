#include "ollama_proxy/telemetry/access_log.hpp"

#include "telemetry/access_line.hpp"
#include "telemetry/log_style.hpp"
#include "telemetry/stderr_writer.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace ollama_proxy::telemetry {
namespace {

constexpr std::size_t kCapacity = 8192;
/// The writer is woken once per batch, not once per request.
constexpr std::chrono::milliseconds kBatch{20};
constexpr std::size_t kWriteSize = 64 * 1024;

struct Entry {
    std::chrono::system_clock::time_point time;
    AccessRecord record;
};

struct AccessLog {
    std::mutex mutex;
    std::condition_variable wake;  ///< buffer no longer empty, or stopping
    std::vector<Entry> filling;
    bool running = false;
    std::atomic<std::uint64_t> dropped{0};
    std::thread thread;

    void run();
};

AccessLog& access() {
    static AccessLog& log = *new AccessLog;  // never destroyed: records may come until the end
    return log;
}

void write_batch(const std::vector<Entry>& entries, std::string& text) {
    const LineStyle style = current_line_style();
    text.clear();
    for (const Entry& entry : entries) {
        append_access_line(text, style, entry.time, entry.record);
        if (text.size() >= kWriteSize) {
            stderr_writer().write(text);
            text.clear();
        }
    }
    if (!text.empty()) stderr_writer().write(text);
}

void AccessLog::run() {
    std::vector<Entry> writing;
    std::string text;
    std::unique_lock lock(mutex);
    for (;;) {
        wake.wait(lock, [this] { return !filling.empty() || !running; });
        if (running) wake.wait_for(lock, kBatch, [this] { return !running; });
        if (filling.empty()) return;  // only when stopping
        writing.swap(filling);
        lock.unlock();
        write_batch(writing, text);
        writing.clear();
        lock.lock();
    }
}

}  // namespace

void start_access_log() {
    AccessLog& log = access();
    std::lock_guard lock(log.mutex);
    if (log.running) return;
    log.running = true;
    log.thread = std::thread([&log] { log.run(); });
}

void stop_access_log() {
    AccessLog& log = access();
    {
        std::lock_guard lock(log.mutex);
        if (!log.running) return;
        log.running = false;
    }
    stderr_writer().give_up_after(std::chrono::seconds(1));
    log.wake.notify_one();
    log.thread.join();
    stderr_writer().be_patient();
}

void write_access(const AccessRecord& record) {
    AccessLog& log = access();
    const auto now = std::chrono::system_clock::now();
    bool was_empty = false;
    {
        std::lock_guard lock(log.mutex);
        if (!log.running) return;
        if (log.filling.size() >= kCapacity) {
            log.dropped.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        was_empty = log.filling.empty();
        log.filling.push_back({now, record});
    }
    if (was_empty) log.wake.notify_one();
}

std::uint64_t dropped_access_records() { return access().dropped.load(std::memory_order_relaxed); }

}  // namespace ollama_proxy::telemetry
