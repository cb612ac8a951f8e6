#include "demo/job.hpp"
#include "demo/model_routes.hpp"

#include <boost/asio/awaitable.hpp>

#include <vector>

namespace ollama_proxy::demo {

namespace asio = boost::asio;

namespace {

constexpr auto kStep = std::chrono::milliseconds(10);
constexpr std::uint64_t kPulledSize = 400'000'000;
constexpr int kProgressLines = 8;

void add_progress(std::vector<Json>& lines, std::string_view verb, const std::string& model) {
    const std::string digest = ModelStore::digest(model);
    const std::string status = std::string(verb) + " " + digest.substr(0, 12);
    for (int i = 1; i <= kProgressLines; ++i) {
        lines.push_back({{"status", status},
                         {"digest", "sha256:" + digest},
                         {"total", kPulledSize},
                         {"completed", kPulledSize / kProgressLines * static_cast<unsigned>(i)}});
    }
}

std::vector<Json> progress_of(Transfer kind, const std::string& model) {
    std::vector<Json> lines;
    const auto say = [&lines](std::string_view status) { lines.push_back({{"status", status}}); };
    switch (kind) {
        case Transfer::pull:
            say("pulling manifest");
            add_progress(lines, "pulling", model);
            say("verifying sha256 digest");
            say("writing manifest");
            break;
        case Transfer::push:
            say("retrieving manifest");
            add_progress(lines, "pushing", model);
            say("pushing manifest");
            break;
        case Transfer::create:
            say("reading model metadata");
            say("creating system layer");
            say("writing manifest");
            break;
    }
    say("success");
    return lines;
}

}  // namespace

asio::awaitable<bool> transfer(State& state, Connection& connection, const Request& request,
                               Transfer kind) {
    const Json body = Json::parse(request.body, nullptr, false);
    std::string model = string_at(body, "model");
    if (model.empty()) model = string_at(body, "name");
    std::string out;
    if (model.empty() || (kind == Transfer::push && !state.models.has(model))) {
        render(out, request,
               model.empty() ? error_reply(Family::native, 400, "model is required")
                             : model_not_found(Family::native, model));
        co_return co_await connection.send(out) && request.keep_alive;
    }
    const bool stream = bool_at(body, "stream", true);
    const std::vector<Json> lines = progress_of(kind, model);
    if (stream) render_stream_head(out, request, "application/x-ndjson");
    TimePoint due = Clock::now();
    for (const Json& line : lines) {
        if (!co_await connection.pause_until(due)) co_return false;
        due += kStep;
        const bool last = &line == &lines.back();
        // A pull that is cut off leaves nothing behind, as far as listings go.
        if (last && kind != Transfer::push) {
            state.models.add(model, kPulledSize, std::chrono::system_clock::now());
        }
        if (!stream) continue;
        Chunk chunk(out, request);
        out += line.dump(-1, ' ', false, Json::error_handler_t::replace);
        out += '\n';
        chunk.close();
        if (last) render_stream_end(out, request);
        if (!co_await connection.send(out)) co_return false;
        out.clear();
    }
    if (stream) co_return request.keep_alive&& request.minor_version != 0;
    render(out, request, json_reply({{"status", "success"}}));
    co_return co_await connection.send(out) && request.keep_alive;
}

}  // namespace ollama_proxy::demo
