#pragma once

#include "monitors/file_reader.hpp"
#include "support/machine_tree.hpp"

#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ollama_proxy::monitors {

/// The kernel's files in memory. It remembers every file and directory that was opened, by its path
/// without links.
class FakeTree : public FileReader {
  public:
    FakeTree() = default;
    explicit FakeTree(test::MachineTree tree) : tree_(std::move(tree)) {}

    void set(const std::string& path, std::string text) {
        tree_.set(tree_.resolve(path), std::move(text));
    }
    /// `directory` and several files of it.
    void add(const std::string& directory, const std::map<std::string, std::string>& files) {
        tree_.add(directory, files);
    }
    void link(const std::string& path, std::string target) {
        tree_.links[path] = std::move(target);
    }
    void remove(const std::string& prefix) { tree_.remove(tree_.resolve(prefix)); }
    /// From now on reading this file fails; 0 = no longer.
    void fail(const std::string& path, int error) { errors_[tree_.resolve(path)] = error; }

    FileText read(const std::string& given) override {
        const std::string path = tree_.resolve(given);
        opened_.insert(path);
        if (const auto error = errors_.find(path); error != errors_.end() && error->second) {
            return {"", error->second};
        }
        const auto file = tree_.files.find(path);
        if (file == tree_.files.end()) return {"", ENOENT};
        return {file->second, 0};
    }
    std::vector<std::string> list(const std::string& directory) override {
        std::string prefix = tree_.resolve(directory + "/.");
        prefix.pop_back();
        opened_.insert(prefix);
        std::set<std::string> names;
        const auto collect = [&](const auto& entries) {
            for (const auto& entry : entries) {
                if (!entry.first.starts_with(prefix)) continue;
                const std::string rest = entry.first.substr(prefix.size());
                names.insert(rest.substr(0, rest.find('/')));
            }
        };
        collect(tree_.files);
        collect(tree_.links);
        return {names.begin(), names.end()};
    }
    std::string link_name(const std::string& path) override {
        const auto found = tree_.links.find(tree_.resolve(path));
        if (found == tree_.links.end()) return {};
        return found->second.substr(found->second.rfind('/') + 1);
    }

    /// Files and directories ("a/b/") that were opened since the last `forget`.
    [[nodiscard]] const std::set<std::string>& opened() const { return opened_; }
    void forget() { opened_.clear(); }

  private:
    test::MachineTree tree_;
    std::map<std::string, int> errors_;
    std::set<std::string> opened_;
};

}  // namespace ollama_proxy::monitors
