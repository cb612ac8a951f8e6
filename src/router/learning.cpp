#include "router/learning.hpp"

#include "ollama_proxy/common/state_file.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <ctime>

namespace ollama_proxy::router {
namespace {

constexpr std::chrono::seconds kFirstSave{1};
constexpr std::chrono::seconds kBetweenSaves{30};

std::filesystem::path file_of(const config::Config& config) {
    if (!config.router.auto_optimize || config.state_dir.empty()) return {};
    return config.state_dir / "learned.json";
}

LearnedStates read(const std::filesystem::path& file) {
    if (file.empty()) return {};
    const auto text = read_state_file(file);
    if (!text) {
        telemetry::log_warn("what was learned is not known", {{"error", text.error().message}});
        return {};
    }
    if (!*text) return {};
    if (auto states = learned_from_json(**text, Clock::now(), std::time(nullptr))) return *states;
    const auto aside = set_aside_state_file(file);
    const std::string where = aside ? aside->string() : aside.error().message;
    telemetry::log_warn(
        "what was learned cannot be read: it was set aside, and all is learned anew",
        {{"file", where}});
    return {};
}

void write(const std::filesystem::path& file, const std::string& text) {
    if (const auto error = replace_state_file(file, text)) {
        telemetry::log_warn("what was learned is not kept", {{"error", error->message}});
    }
}

}  // namespace

Learning::Learning(boost::asio::io_context& control, const config::Config& config)
    : control_(control),
      enabled_(config.router.auto_optimize),
      file_(file_of(config)),
      signal_(std::make_shared<ChangeSignal>(
          [this] { boost::asio::post(control_, [this] { save_later(); }); })),
      unused_(read(file_)),
      timer_(control) {}

std::shared_ptr<LearnedBackend> Learning::of(const config::Backend& backend) {
    if (!enabled_) return nullptr;
    std::lock_guard lock(mutex_);
    auto& known = backends_[backend.id];
    if (known && known->state().endpoint == backend.endpoint.text) return known;
    LearnedState state;
    if (auto read = unused_.extract(backend.id);
        read && read.mapped().endpoint == backend.endpoint.text) {
        state = std::move(read.mapped());
    }
    state.endpoint = backend.endpoint.text;
    known = std::make_shared<LearnedBackend>(std::move(state), signal_);
    return known;
}

LearnedStates Learning::states() const {
    std::lock_guard lock(mutex_);
    LearnedStates out = unused_;
    for (const auto& [id, backend] : backends_) out.insert_or_assign(id, backend->state());
    return out;
}

void Learning::save_later() {
    if (stopped_ || file_.empty()) return;
    const TimePoint now = Clock::now();
    const bool first = saved_at_ == TimePoint{};
    timer_.expires_at(first ? now + kFirstSave : std::max(now, saved_at_ + kBetweenSaves));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error && !stopped_) save();
    });
}

void Learning::save() {
    signal_->take();  // before the copy: what comes meanwhile is a change for the next time
    saved_at_ = Clock::now();
    if (!writer_) writer_.emplace(1);
    boost::asio::post(*writer_, [file = file_, states = states(), now = saved_at_] {
        write(file, learned_to_json(states, now, std::time(nullptr)));
    });
}

void Learning::stop() {
    if (stopped_) return;
    stopped_ = true;
    timer_.cancel();
    if (writer_) writer_->join();
    if (!file_.empty() && signal_->take()) {
        write(file_, learned_to_json(states(), Clock::now(), std::time(nullptr)));
    }
}

}  // namespace ollama_proxy::router
