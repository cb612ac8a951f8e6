#pragma once

#include "demo/json.hpp"
#include "demo/wall_clock.hpp"
#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/demo/demo_server.hpp"

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::demo {

/// The models that a simulated server has, and which of them are loaded. Names compare as
/// Ollama's do: any case, and no tag means `:latest`. Takes time as an argument. Thread: one.
class ModelStore {
  public:
    ModelStore(const std::vector<DemoModel>& models, WallTime now);

    [[nodiscard]] bool has(std::string_view name) const;
    /// When the model can answer: `now` when it is loaded, later when it must be loaded first.
    /// Keeps it loaded for `keep_alive` from then on. The model must exist.
    TimePoint load(std::string_view name, TimePoint now, Clock::duration load_time,
                   Clock::duration keep_alive);
    void unload(std::string_view name);

    void add(std::string_view name, std::uint64_t size, WallTime now);
    /// False when `from` does not exist.
    bool copy(std::string_view from, std::string_view to, WallTime now);
    /// False when it does not exist.
    bool remove(std::string_view name);

    /// `GET /api/tags`.
    [[nodiscard]] Json tags() const;
    /// `GET /api/ps`: what is loaded at `now`, which is `wall` on the wall clock.
    [[nodiscard]] Json running(TimePoint now, WallTime wall) const;
    /// `POST /api/show` of an existing model.
    [[nodiscard]] Json show(std::string_view name) const;
    /// One entry of `GET /v1/models`.
    [[nodiscard]] Json openai(std::string_view name) const;
    /// `GET /v1/models`.
    [[nodiscard]] Json openai_list() const;
    /// Content digest of a model, without "sha256:".
    [[nodiscard]] static std::string digest(std::string_view name);

  private:
    struct Model {
        std::string name;
        std::uint64_t size = 0;
        WallTime modified;
        bool loaded = false;
        TimePoint ready;    ///< loading ends
        TimePoint expires;  ///< unloaded from then on
    };
    [[nodiscard]] const Model* get(std::string_view name) const;
    [[nodiscard]] static Json openai_entry(const Model& model);

    std::map<std::string, Model> models_;  ///< by normalised name
};

}  // namespace ollama_proxy::demo
