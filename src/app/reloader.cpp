#include "app/reloader.hpp"

#include "app/activation.hpp"
#include "ollama_proxy/config/changes.hpp"
#include "ollama_proxy/telemetry/log.hpp"
#include "ollama_proxy/telemetry/metrics.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace ollama_proxy::app {
namespace {

/// A file is read when nothing has happened beside it for so long: an editor writes in steps.
constexpr Milliseconds kQuiet{100};
/// And at the latest then: something else in the folder may change all the time.
constexpr Milliseconds kPatience{1000};

void count(std::string_view result) {
    telemetry::metrics()
        .counters("ollama_proxy_config_reloads_total",
                  "How often the configuration was read again, by what came of it.", {"result"})
        .with({result})
        .add();
}

std::string joined(const std::vector<std::string>& all) {
    std::string out;
    for (const std::string& one : all) out += (out.empty() ? "" : ", ") + one;
    return out;
}

/// "queue.max_size; backends added: a, b": what has come into force.
std::string text_of(const config::Changes& changes) {
    std::vector<std::string> keys;
    std::ranges::copy_if(changes.keys, std::back_inserter(keys), [&](const std::string& key) {
        return std::ranges::find(changes.need_restart, key) == changes.need_restart.end();
    });
    std::string out = joined(keys);
    const auto add = [&](const char* what, const std::vector<std::string>& ids) {
        if (ids.empty()) return;
        out += (out.empty() ? "" : "; ") + std::string(what) + joined(ids);
    };
    add("backends added: ", changes.added);
    add("backends changed: ", changes.changed);
    add("backends removed: ", changes.removed);
    return out.empty() ? "none" : out;
}

}  // namespace

Reloader::Reloader(Actions actions, std::shared_ptr<const config::Config> running,
                   std::unique_ptr<FileWatch> file)
    : actions_(std::move(actions)),
      running_(std::move(running)),
      file_(std::move(file)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { run(); }) {}

Reloader::~Reloader() {
    stopping_.store(true);
    request();
    thread_.join();
    ::close(wake_);
}

void Reloader::request() {
    requested_.store(true);
    ::eventfd_write(wake_, 1);
}

void Reloader::run() {
    pthread_setname_np(pthread_self(), "reload");
    for (;;) {
        std::array<pollfd, 2> ready{{{wake_, POLLIN, 0}, {file_ ? file_->fd() : -1, POLLIN, 0}}};
        ::poll(ready.data(), ready.size(), -1);
        if (ready[1].revents != 0) settle();
        eventfd_t ignored = 0;
        ::eventfd_read(wake_, &ignored);
        if (stopping_.load()) return;
        const bool asked = requested_.exchange(false);
        // asked in any case: what is read now is what the file is known by
        const bool changed = file_ && file_->changed();
        if (asked || changed) reload();
    }
}

/// Waits until whoever writes is done.
void Reloader::settle() {
    const TimePoint end = Clock::now() + kPatience;
    for (;;) {
        file_->drain();
        const auto left = std::chrono::duration_cast<Milliseconds>(end - Clock::now());
        const auto pause = std::min(left, kQuiet);
        if (pause.count() <= 0) return;
        std::array<pollfd, 2> ready{{{wake_, POLLIN, 0}, {file_->fd(), POLLIN, 0}}};
        const int count = ::poll(ready.data(), ready.size(), static_cast<int>(pause.count()));
        if (count <= 0 || ready[0].revents != 0) return;
    }
}

void Reloader::reload() {
    notify_reloading();
    const config::LoadResult loaded = actions_.load();
    if (!loaded) return refuse(loaded);
    for (const std::string& warning : loaded.warnings) telemetry::log_warn(warning);
    auto config = std::make_shared<config::Config>(*loaded.config);
    const config::Changes changes = config::take_over_running(*running_, *config);
    running_ = config;
    notify_ready(actions_.apply(running_));
    count(changes.none() ? "unchanged" : "applied");
    if (changes.none()) {
        telemetry::log_info("configuration read again: nothing has changed",
                            {{"source", running_->source}});
        return;
    }
    telemetry::log_info("configuration reloaded",
                        {{"source", running_->source}, {"changes", text_of(changes)}});
    if (changes.need_restart.empty()) return;
    telemetry::log_warn("these keys keep their former values until the daemon is restarted",
                        {{"keys", joined(changes.need_restart)}});
}

void Reloader::refuse(const config::LoadResult& loaded) {
    count("rejected");
    for (const config::Problem& problem : loaded.problems) {
        telemetry::log_error("the configuration is not reloaded, the one in force stays",
                             {{"problem", problem.to_string()}});
    }
    notify_ready("the configuration in force is an older one: " +
                 loaded.problems.front().to_string());
}

}  // namespace ollama_proxy::app
