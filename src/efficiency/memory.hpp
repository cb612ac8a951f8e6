#pragma once

#include "efficiency/remembered.hpp"
#include "ollama_proxy/config/config.hpp"

#include <boost/asio/thread_pool.hpp>

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace ollama_proxy::efficiency {

/// What the user has set, kept in the state directory unless `efficiency.remember` is off or there
/// is no such directory. Writing happens on a thread of its own that the first change starts.
/// Thread: one at a time.
class Memory {
  public:
    /// Reads the file; one that cannot be used is set aside, with a line in the log.
    explicit Memory(const config::Config& config);

    [[nodiscard]] const Remembered& remembered() const { return remembered_; }
    void change(const Change& change);
    /// Waits for what is being written; nothing is written afterwards.
    void finish();

  private:
    /// The newest text that is not on the disk yet, so that a flood of changes is few writes.
    struct Unwritten {
        std::mutex mutex;
        std::optional<std::string> text;
    };

    std::filesystem::path file_;  ///< empty: nothing is kept
    Remembered remembered_;
    std::shared_ptr<Unwritten> unwritten_ = std::make_shared<Unwritten>();
    std::unique_ptr<boost::asio::thread_pool> writer_;
    bool finished_ = false;
};

}  // namespace ollama_proxy::efficiency
