#pragma once

#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"
#include "support/machine_tree.hpp"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <unistd.h>

/// What the tests of a running monitor share.
namespace ollama_proxy::monitors {

/// A machine in a directory of its own.
class Sysfs {
  public:
    explicit Sysfs(const test::MachineTree& tree)
        : root_(std::filesystem::temp_directory_path() /
                ("sysfs-" + std::to_string(::getpid()) + "-" + std::to_string(++count_))) {
        std::filesystem::create_directories(root_);
        tree.write_to(root_);
    }
    ~Sysfs() { std::filesystem::remove_all(root_); }
    void set(const std::string& path, const std::string& text) const {
        std::ofstream(root_ / path) << text << "\n";
    }
    [[nodiscard]] const std::filesystem::path& root() const { return root_; }

  private:
    static inline int count_ = 0;
    std::filesystem::path root_;
};

/// Snapshots as they are published.
class Published {
  public:
    void operator()(const std::shared_ptr<const SystemSnapshot>& snapshot) {
        std::lock_guard lock(mutex_);
        last_ = snapshot;
        changed_.notify_all();
    }
    template <class Predicate>
    bool wait(Predicate fits) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20),
                                 [&] { return last_ && fits(*last_); });
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::shared_ptr<const SystemSnapshot> last_;
};

inline std::shared_ptr<config::Config> configuration(const Sysfs& sysfs) {
    auto config = std::make_shared<config::Config>();
    config->monitors.sysfs_root = sysfs.root();
    config->monitors.proc_root = sysfs.root() / "proc";
    config->monitors.interval = std::chrono::hours(1);  // nothing comes by itself
    config->monitors.idle_interval = std::chrono::hours(1);
    config::Backend cpu;
    cpu.id = "cpu";
    cpu.hardware = config::Hardware::cpu;
    cpu.characteristics.power_watts = 28;
    cpu.characteristics.power_known = true;
    config->backends = {cpu};
    return config;
}

}  // namespace ollama_proxy::monitors
