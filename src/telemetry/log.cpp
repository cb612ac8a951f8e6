#include "ollama_proxy/telemetry/log.hpp"

#include "ollama_proxy/common/snapshot_cell.hpp"
#include "telemetry/line_writer.hpp"
#include "telemetry/log_style.hpp"
#include "telemetry/stderr_writer.hpp"

#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

namespace ollama_proxy::telemetry {
namespace {

/// Each takes 400 bytes from the start on. Nothing here is written per request: those lines have
/// the access log.
constexpr std::size_t kQueuedLines = 512;
constexpr std::chrono::milliseconds kStopPatience{1000};

/// The lines come formatted: only the background thread's writing is left to do.
class Sink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        stderr_writer().write({message.payload.data(), message.payload.size()});
    }
    void flush_() override {}
};

/// Logger and thread together: a caller that holds it can always post. The pool dies first: its
/// thread is joined while the logger, which every queued line refers to, is still held here.
struct Running {
    std::shared_ptr<spdlog::async_logger> logger;
    std::shared_ptr<spdlog::details::thread_pool> pool;
};

struct State {
    std::atomic<config::LogLevel> level{config::LogLevel::info};
    std::atomic<config::LogFormat> format{config::LogFormat::text};
    std::atomic<bool> colour{stderr_writer().wants_colour()};
    std::atomic<std::uint64_t> dropped_before{0};  ///< by loggers that were stopped
    std::atomic<std::uint64_t> dropped_by_error{0};
    SnapshotCell<Running> running;
};

State& state() {
    static State& state = *new State;  // never destroyed, see stderr_writer()
    return state;
}

}  // namespace

LineStyle current_line_style() {
    return {state().format.load(std::memory_order_relaxed),
            state().colour.load(std::memory_order_relaxed)};
}

void reconfigure_logging(const config::Logging& settings) {
    state().level.store(settings.level, std::memory_order_relaxed);
    state().format.store(settings.format, std::memory_order_relaxed);
}

void start_logging(const config::Logging& settings) {
    stop_logging();
    reconfigure_logging(settings);
    stderr_writer().be_patient();
    auto running = std::make_shared<Running>();
    running->pool = std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1);
    running->logger = std::make_shared<spdlog::async_logger>(
        "ollama-proxy", std::make_shared<Sink>(), running->pool,
        spdlog::async_overflow_policy::overrun_oldest);
    running->logger->set_level(spdlog::level::trace);
    running->logger->set_error_handler([](const std::string&) {
        state().dropped_by_error.fetch_add(1, std::memory_order_relaxed);
    });
    state().running.store(std::move(running));
}

void stop_logging() {
    auto running = state().running.load();
    if (!running) return;
    state().running.store(nullptr);
    stderr_writer().give_up_after(kStopPatience);
    state().dropped_before.fetch_add(running->pool->overrun_counter(), std::memory_order_relaxed);
    running.reset();  // the last holder joins the thread, after it wrote what is queued
}

void log(config::LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
    if (level < state().level.load(std::memory_order_relaxed) || level == config::LogLevel::off) {
        return;
    }
    std::string line;
    line.reserve(160);
    LineWriter writer(line, current_line_style(), level, std::chrono::system_clock::now(), message);
    for (const auto& [key, value] : fields) writer.text(key, value);
    writer.finish();
    if (const auto running = state().running.load()) {
        running->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
    } else {
        stderr_writer().write(line);
    }
}

std::uint64_t dropped_log_lines() {
    const auto running = state().running.load();
    return state().dropped_before.load(std::memory_order_relaxed) +
           state().dropped_by_error.load(std::memory_order_relaxed) +
           stderr_writer().lost_writes() + (running ? running->pool->overrun_counter() : 0);
}

}  // namespace ollama_proxy::telemetry
