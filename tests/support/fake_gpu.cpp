#include "support/fake_gpu.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace ollama_proxy::support {
namespace fs = std::filesystem;

FakeGpu::FakeGpu() : path_(fs::temp_directory_path() / ("nvml-" + std::to_string(::getpid()))) {
    forget_calls();
    says("64 71500 900000 45 0 ok");
    ::setenv("FAKE_NVML", path_.c_str(), 1);
}

FakeGpu::~FakeGpu() {
    fs::remove(path_);
    forget_calls();
}

void FakeGpu::says(const std::string& line) const {
    const fs::path fresh = path_ + ".new";
    std::ofstream(fresh) << line << "\n";
    fs::rename(fresh, path_);
}

std::vector<std::string> FakeGpu::calls() const {
    std::vector<std::string> out;
    std::ifstream file(path_ + ".calls");
    for (std::string line; std::getline(file, line);) out.push_back(line);
    return out;
}

int FakeGpu::asked(const std::string& what) const {
    return static_cast<int>(std::ranges::count(calls(), what));
}

void FakeGpu::forget_calls() const { fs::remove(path_ + ".calls"); }

}  // namespace ollama_proxy::support
