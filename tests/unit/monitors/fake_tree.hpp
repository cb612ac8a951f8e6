#pragma once

#include "monitors/file_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ollama_proxy::monitors {

/// The kernel's files in memory: a map from path to text. It remembers every file that was opened.
class FakeTree : public FileReader {
  public:
    FakeTree() = default;
    explicit FakeTree(std::map<std::string, std::string> files) : files_(std::move(files)) {}

    void set(const std::string& path, std::string text) { files_[path] = std::move(text); }
    /// `directory` and several files of it.
    void add(const std::string& directory, const std::map<std::string, std::string>& files) {
        for (const auto& [name, text] : files) files_[directory + "/" + name] = text;
    }
    void link(const std::string& path, std::string target) { links_[path] = std::move(target); }
    void remove(const std::string& prefix) {
        std::erase_if(files_, [&](const auto& file) { return file.first.starts_with(prefix); });
        std::erase_if(links_, [&](const auto& link) { return link.first.starts_with(prefix); });
    }
    /// From now on reading this file fails.
    void fail(const std::string& path, int error) { errors_[path] = error; }

    FileText read(const std::string& path) override {
        opened_.insert(path);
        if (const auto error = errors_.find(path); error != errors_.end()) {
            return {"", error->second};
        }
        const auto file = files_.find(path);
        if (file == files_.end()) return {"", ENOENT};
        return {file->second, 0};
    }
    std::vector<std::string> list(const std::string& directory) override {
        listed_.insert(directory);
        std::set<std::string> names;
        const std::string prefix = directory + "/";
        const auto collect = [&](const auto& entries) {
            for (const auto& [path, ignored] : entries) {
                if (!path.starts_with(prefix)) continue;
                const std::string rest = path.substr(prefix.size());
                names.insert(rest.substr(0, rest.find('/')));
            }
        };
        collect(files_);
        collect(links_);
        return {names.begin(), names.end()};
    }
    std::string link_name(const std::string& path) override {
        const auto found = links_.find(path);
        return found == links_.end() ? std::string() : found->second;
    }

    /// Files that were opened since the last `forget`.
    [[nodiscard]] const std::set<std::string>& opened() const { return opened_; }
    [[nodiscard]] const std::set<std::string>& listed() const { return listed_; }
    void forget() {
        opened_.clear();
        listed_.clear();
    }

  private:
    std::map<std::string, std::string> files_;
    std::map<std::string, std::string> links_;
    std::map<std::string, int> errors_;
    std::set<std::string> opened_;
    std::set<std::string> listed_;
};

}  // namespace ollama_proxy::monitors
