#pragma once

#include "ollama_proxy/config/config.hpp"
#include "router/learned_json.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

namespace ollama_proxy::router {

/// What is learned of all backends, kept in `learned.json` of the state directory: read once at the
/// start, written when something changed, a second after the first change and then at most every
/// half minute, and at the end. Writing happens on a thread of its own. A file that cannot be used
/// is set aside. With `router.auto_optimize: false` nothing is read, learned or written.
class Learning {
  public:
    /// Reads the file (blocks: at start-up).
    Learning(boost::asio::io_context& control, const config::Config& config);
    Learning(const Learning&) = delete;
    Learning& operator=(const Learning&) = delete;

    /// Where requests to this backend are noted; nullptr when nothing is learned. Thread: any.
    [[nodiscard]] std::shared_ptr<LearnedBackend> of(const config::Backend& backend);

    /// Writes what is not written yet, and nothing afterwards. Thread: control.
    void stop();

  private:
    void save_later();
    void save();
    [[nodiscard]] LearnedStates states() const;

    boost::asio::io_context& control_;
    const bool enabled_;
    const std::filesystem::path file_;  ///< empty: nothing is kept
    const std::shared_ptr<ChangeSignal> signal_;
    mutable std::mutex mutex_;  ///< the next two
    LearnedStates unused_;      ///< read, and no backend of the configuration has asked for it
    std::map<std::string, std::shared_ptr<LearnedBackend>> backends_;
    // control thread only
    boost::asio::steady_timer timer_;
    std::optional<boost::asio::thread_pool> writer_;
    TimePoint saved_at_{};
    bool stopped_ = false;
};

}  // namespace ollama_proxy::router
