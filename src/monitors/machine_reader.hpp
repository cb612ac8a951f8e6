#pragma once

#include "monitors/deadline_lane.hpp"
#include "monitors/file_reader.hpp"
#include "monitors/readings.hpp"
#include "monitors/watched_files.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// Reads the kernel's files on a thread of its own. A file that hangs costs its directory, until it
/// comes back, and nothing else. Thread: all calls from one.
class MachineReader {
  public:
    explicit MachineReader(Clock::duration limit) : limit_(limit), lane_("sensors") {}

    /// Absent: nothing could be read, too much hangs.
    [[nodiscard]] std::optional<Readings> read(const std::shared_ptr<FileReader>& sysfs,
                                               const std::shared_ptr<FileReader>& procfs,
                                               const std::vector<config::Backend>& backends);

    /// Calls `use` with a reader, under the same limit. `use` must own what it refers to, because
    /// it may hang for longer. False: it does.
    [[nodiscard]] bool run(const std::shared_ptr<FileReader>& sysfs,
                           std::function<void(FileReader&)> use);

    /// Directories in which a driver hangs now.
    [[nodiscard]] std::vector<std::string> hanging();

  private:
    struct Hang {
        std::string directory;
        std::shared_ptr<Whereabouts> whereabouts;
    };
    Clock::duration limit_;
    std::vector<Hang> hangs_;
    DeadlineLane lane_;
};

}  // namespace ollama_proxy::monitors
