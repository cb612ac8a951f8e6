#pragma once

#include "app/file_watch.hpp"
#include "ollama_proxy/config/load.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace ollama_proxy::app {

/// Reads the configuration again when it is asked to and when its file has changed, on a thread of
/// its own. A good one comes into force; of a bad one every problem is logged, and the one in force
/// stays. The service manager hears of both.
class Reloader {
  public:
    struct Actions {
        /// Reads, checks and completes the configuration. May block.
        std::function<config::LoadResult()> load;
        /// Brings it into force and gives a line that says how the daemon stands now.
        std::function<std::string(std::shared_ptr<const config::Config>)> apply;
    };
    /// `file`: what is watched, if anything. It begins at once.
    Reloader(Actions actions, std::shared_ptr<const config::Config> running,
             std::unique_ptr<FileWatch> file);
    /// Waits for a reload that is under way.
    ~Reloader();
    Reloader(const Reloader&) = delete;
    Reloader& operator=(const Reloader&) = delete;

    /// Reads it soon; asked several times meanwhile, once. Thread: any.
    void request();

  private:
    void run();
    void settle();
    void reload();
    void refuse(const config::LoadResult& loaded);

    const Actions actions_;
    std::shared_ptr<const config::Config> running_;  ///< its thread's
    const std::unique_ptr<FileWatch> file_;
    const int wake_;  ///< eventfd
    std::atomic<bool> requested_{false};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace ollama_proxy::app
