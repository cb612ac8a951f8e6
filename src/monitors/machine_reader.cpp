#include "monitors/machine_reader.hpp"

#include "ollama_proxy/telemetry/log.hpp"

namespace ollama_proxy::monitors {

std::vector<std::string> MachineReader::hanging() {
    std::erase_if(hangs_, [](const Hang& hang) { return hang.whereabouts->over.load(); });
    std::vector<std::string> out;
    for (const Hang& hang : hangs_) out.push_back(hang.directory);
    return out;
}

bool MachineReader::run(const std::shared_ptr<FileReader>& sysfs,
                        std::function<void(FileReader&)> use) {
    const int hung = lane_.hung();
    const auto whereabouts = std::make_shared<Whereabouts>();
    const bool done = lane_.run(
        [sysfs, whereabouts, avoid = hanging(), use = std::move(use)] {
            WatchedFiles files(*sysfs, whereabouts, avoid);
            use(files);
            whereabouts->over.store(true);
        },
        limit_);
    if (done || lane_.hung() == hung) return done;
    const std::string directory = whereabouts->directory();
    telemetry::log_warn("a sensor does not answer and is left alone until it does",
                        {{"directory", directory}});
    hangs_.push_back({directory, whereabouts});
    return false;
}

std::optional<Readings> MachineReader::read(const std::shared_ptr<FileReader>& sysfs,
                                            const std::shared_ptr<FileReader>& procfs,
                                            const std::vector<config::Backend>& backends) {
    // the second try leaves out where the first one hangs
    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto readings = std::make_shared<Readings>();
        const bool done = run(sysfs, [readings, procfs, backends](FileReader& files) {
            *readings = read_machine(files, backends);
            readings->nvidia_driver = procfs->read("driver/nvidia/version").ok();
        });
        if (done) return std::move(*readings);
    }
    return std::nullopt;
}

}  // namespace ollama_proxy::monitors
