#include "efficiency/memory.hpp"

#include "ollama_proxy/common/state_file.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace ollama_proxy::efficiency {
namespace asio = boost::asio;

namespace {

std::filesystem::path file_of(const config::Config& config) {
    if (!config.efficiency.remember || config.state_dir.empty()) return {};
    return config.state_dir / kRememberedFile;
}

Remembered read(const std::filesystem::path& file) {
    const auto text = read_state_file(file);
    if (!text) {
        telemetry::log_warn("what was set is not remembered", {{"error", text.error().message}});
        return {};
    }
    if (!*text) return {};
    if (auto remembered = remembered_from_json(**text)) return *remembered;
    const auto aside = set_aside_state_file(file);
    const std::string where = aside ? aside->string() : aside.error().message;
    telemetry::log_warn("the remembered efficiency mode cannot be read; it was set aside",
                        {{"file", where}});
    return {};
}

}  // namespace

Memory::Memory(const config::Config& config) : file_(file_of(config)) {
    if (!file_.empty()) remembered_ = read(file_);
}

void Memory::change(const Change& change) {
    remembered_.take(change);
    if (file_.empty() || finished_) return;
    {
        std::lock_guard lock(unwritten_->mutex);
        if (std::exchange(unwritten_->text, to_json(remembered_))) return;
    }
    if (!writer_) writer_ = std::make_unique<asio::thread_pool>(1);
    asio::post(*writer_, [file = file_, unwritten = unwritten_] {
        std::string text;
        {
            std::lock_guard lock(unwritten->mutex);
            text = *std::exchange(unwritten->text, std::nullopt);
        }
        if (const auto error = replace_state_file(file, text)) {
            telemetry::log_warn("what was set will not be remembered", {{"error", error->message}});
        }
    });
}

void Memory::finish() {
    finished_ = true;
    if (writer_) writer_->join();
    writer_.reset();
}

}  // namespace ollama_proxy::efficiency
