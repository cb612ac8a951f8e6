#include "demo/model_store.hpp"

#include "demo/answer.hpp"
#include "ollama_proxy/common/ascii.hpp"

#include <array>
#include <cstdio>

namespace ollama_proxy::demo {

namespace {

std::string normalised(std::string_view name) {
    std::string out = ascii_lower(name);
    const std::size_t slash = out.rfind('/');
    const std::size_t from = slash == std::string::npos ? 0 : slash;
    if (out.find(':', from) == std::string::npos) out += ":latest";
    return out;
}

std::string family_of(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kFamilies = {{
        {"qwen2", "qwen2"},
        {"qwen3", "qwen3"},
        {"llama", "llama"},
        {"mistral", "llama"},
        {"phi3", "phi3"},
        {"gemma", "gemma3"},
        {"nomic", "nomic-bert"},
        {"all-minilm", "bert"},
    }};
    for (const auto& [prefix, family] : kFamilies) {
        if (name.starts_with(prefix)) return std::string(family);
    }
    return "llama";
}

// About 0.6 bytes per parameter, as Q4_K_M files have it.
double parameters_of(std::uint64_t size) { return static_cast<double>(size) / 0.6; }

std::string parameter_size(std::uint64_t size) {
    const double count = parameters_of(size);
    std::array<char, 32> text{};
    if (count >= 1e9) {
        std::snprintf(text.data(), text.size(), "%.1fB", count / 1e9);
    } else {
        std::snprintf(text.data(), text.size(), "%.2fM", count / 1e6);
    }
    return text.data();
}

Json details_of(std::string_view name, std::uint64_t size) {
    const std::string family = family_of(name);
    return {{"parent_model", ""},
            {"format", "gguf"},
            {"family", family},
            {"families", Json::array({family})},
            {"parameter_size", parameter_size(size)},
            {"quantization_level", "Q4_K_M"}};
}

std::string stamp(WallTime at) { return StampWriter().text(at); }

}  // namespace

ModelStore::ModelStore(const std::vector<DemoModel>& models, WallTime now) {
    for (const DemoModel& model : models) add(model.name, model.size_bytes, now);
}

const ModelStore::Model* ModelStore::get(std::string_view name) const {
    const auto it = models_.find(normalised(name));
    return it == models_.end() ? nullptr : &it->second;
}

bool ModelStore::has(std::string_view name) const { return get(name) != nullptr; }

TimePoint ModelStore::load(std::string_view name, TimePoint now, Clock::duration load_time,
                           Clock::duration keep_alive) {
    const auto it = models_.find(normalised(name));
    if (it == models_.end()) return now;
    Model& model = it->second;
    if (!model.loaded || model.expires <= now) {
        model.loaded = true;
        model.ready = now + load_time;
    }
    const TimePoint ready = std::max(now, model.ready);
    model.expires = keep_alive == Clock::duration::max() ? kNever : ready + keep_alive;
    return ready;
}

void ModelStore::unload(std::string_view name) {
    const auto it = models_.find(normalised(name));
    if (it != models_.end()) it->second.loaded = false;
}

void ModelStore::add(std::string_view name, std::uint64_t size, WallTime now) {
    std::string key = normalised(name);
    Model model;
    model.name = std::string(name).append(key.size() > name.size() ? ":latest" : "");
    model.size = size;
    model.modified = now;
    models_[std::move(key)] = std::move(model);
}

bool ModelStore::copy(std::string_view from, std::string_view to, WallTime now) {
    const Model* model = get(from);
    if (model == nullptr) return false;
    add(to, model->size, now);
    return true;
}

bool ModelStore::remove(std::string_view name) { return models_.erase(normalised(name)) > 0; }

Json ModelStore::tags() const {
    Json list = Json::array();
    for (const auto& [key, model] : models_) {
        list.push_back({{"name", model.name},
                        {"model", model.name},
                        {"modified_at", stamp(model.modified)},
                        {"size", model.size},
                        {"digest", digest(model.name)},
                        {"details", details_of(key, model.size)}});
    }
    return {{"models", std::move(list)}};
}

Json ModelStore::running(TimePoint now, WallTime wall) const {
    Json list = Json::array();
    for (const auto& [key, model] : models_) {
        if (!model.loaded || model.ready > now || model.expires <= now) continue;
        // "Forever" is shown as a far date, as Ollama does; a century keeps the clock in range.
        const auto left =
            model.expires == kNever
                ? std::chrono::hours(24 * 36525)
                : std::chrono::duration_cast<std::chrono::nanoseconds>(model.expires - now);
        const auto expires = wall + std::chrono::duration_cast<WallTime::duration>(left);
        list.push_back({{"name", model.name},
                        {"model", model.name},
                        {"size", model.size},
                        {"digest", digest(model.name)},
                        {"details", details_of(key, model.size)},
                        {"expires_at", stamp(expires)},
                        {"size_vram", model.size},
                        {"context_length", 4096}});
    }
    return {{"models", std::move(list)}};
}

Json ModelStore::show(std::string_view name) const {
    const Model* model = get(name);
    if (model == nullptr) return Json::object();
    const std::string family = family_of(normalised(name));
    const bool embeds = family.ends_with("bert");
    return {{"license", "This model is simulated: nothing is licensed."},
            {"modelfile", "FROM " + model->name + "\n"},
            {"parameters", "stop                           \"<|end|>\""},
            {"template", "{{ .Prompt }}"},
            {"details", details_of(normalised(name), model->size)},
            {"model_info",
             {{"general.architecture", family},
              {"general.parameter_count", static_cast<std::uint64_t>(parameters_of(model->size))},
              {family + ".context_length", 4096},
              {family + ".embedding_length", 256}}},
            {"capabilities",
             embeds ? Json::array({"embedding"}) : Json::array({"completion", "tools"})},
            {"modified_at", stamp(model->modified)}};
}

Json ModelStore::openai_entry(const Model& model) {
    return {{"id", model.name},
            {"object", "model"},
            {"created", std::chrono::system_clock::to_time_t(model.modified)},
            {"owned_by", "library"}};
}

Json ModelStore::openai(std::string_view name) const {
    const Model* model = get(name);
    return model == nullptr ? Json::object() : openai_entry(*model);
}

Json ModelStore::openai_list() const {
    Json list = Json::array();
    for (const auto& [key, model] : models_) list.push_back(openai_entry(model));
    return {{"object", "list"}, {"data", std::move(list)}};
}

std::string ModelStore::digest(std::string_view name) {
    std::string out;
    std::uint64_t hash = stable_hash(normalised(name));
    for (int part = 0; part < 4; ++part) {
        std::array<char, 17> text{};
        std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
        out += text.data();
        hash = stable_hash(out);
    }
    return out;
}

}  // namespace ollama_proxy::demo
