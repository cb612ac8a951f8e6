#include "router/learned_json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace ollama_proxy::router {
using nlohmann::json;

namespace {

constexpr int kVersion = 1;
constexpr std::size_t kMaxBackends = 1024;
constexpr double kLargest = 1e12;
constexpr double kOldest = 10.0 * 365 * 24 * 3600;

struct Mean {
    const char* name;
    Ewma LearnedModel::* member;
};
constexpr std::array kMeans{Mean{"warm_ms", &LearnedModel::warm_ms},
                            Mean{"cold_ms", &LearnedModel::cold_ms},
                            Mean{"load_ms", &LearnedModel::load_ms},
                            Mean{"tokens_per_second", &LearnedModel::tokens_per_second},
                            Mean{"joules_per_token", &LearnedModel::joules_per_token}};

double age_of(TimePoint moment, TimePoint now) {
    return std::clamp(std::chrono::duration<double>(now - moment).count(), 0.0, kOldest);
}

TimePoint moment_of(double age, TimePoint now) {
    return now - std::chrono::duration_cast<Clock::duration>(
                     std::chrono::duration<double>(std::min(age, kOldest)));
}

json model_json(const LearnedModel& model, TimePoint now) {
    json out = {{"age_s", age_of(model.used, now)}};
    for (const Mean& mean : kMeans) {
        const Ewma& value = model.*mean.member;
        if (value.weight <= 0) continue;
        out[mean.name] = {{"mean", value.mean},
                          {"weight", value.weight},
                          {"prior", value.prior_weight},
                          {"age_s", age_of(value.last, now)}};
    }
    if (model.errors.weight > 0) {
        out["errors"] = {{"failures", model.errors.failures},
                         {"weight", model.errors.weight},
                         {"age_s", age_of(model.errors.last, now)}};
    }
    return out;
}

/// Reads members of objects; remembers whether all were as they must be.
struct Reader {
    TimePoint now;
    double pause_s = 0;  ///< since the text was written
    bool good = true;

    const json& member(const json& object, const char* name) {
        static const json null;
        const auto found = object.is_object() ? object.find(name) : object.end();
        if (!object.is_object() || found == object.end()) return null;
        return *found;
    }
    double number(const json& object, const char* name) {
        const json& value = member(object, name);
        const double out = value.is_number() ? value.get<double>() : -1;
        if (!(out >= 0 && out <= kLargest)) good = false;
        return good ? out : 0;
    }
    TimePoint moment(const json& object) {
        return moment_of(number(object, "age_s") + pause_s, now);
    }
    LearnedModel model(const json& object) {
        LearnedModel out;
        out.used = moment(object);
        for (const Mean& mean : kMeans) {
            const json& entry = member(object, mean.name);
            if (entry.is_null()) continue;
            out.*mean.member = {number(entry, "mean"), number(entry, "weight"),
                                number(entry, "prior"), moment(entry)};
        }
        const json& errors = member(object, "errors");
        if (!errors.is_null()) {
            out.errors = {number(errors, "failures"), number(errors, "weight"), moment(errors)};
        }
        return out;
    }
    LearnedState backend(const json& object) {
        LearnedState out;
        const json& endpoint = member(object, "endpoint");
        const json& models = member(object, "models");
        if (!endpoint.is_string() || !models.is_object()) good = false;
        if (!good) return out;
        out.endpoint = endpoint.get<std::string>();
        out.all = model(member(object, "all"));
        for (const auto& [name, entry] : models.items()) {
            if (out.models.size() >= LearnedBackend::kMaxModels) break;
            out.models.emplace(name, model(entry));
        }
        return out;
    }
};

}  // namespace

std::string learned_to_json(const LearnedStates& states, TimePoint now, std::int64_t wall_s) {
    json backends = json::object();
    for (const auto& [id, state] : states) {
        json models = json::object();
        for (const auto& [name, model] : state.models) models[name] = model_json(model, now);
        backends[id] = {{"endpoint", state.endpoint},
                        {"all", model_json(state.all, now)},
                        {"models", std::move(models)}};
    }
    const json out = {
        {"version", kVersion}, {"written_at", wall_s}, {"backends", std::move(backends)}};
    return out.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::optional<LearnedStates> learned_from_json(std::string_view text, TimePoint now,
                                               std::int64_t wall_s) {
    const json document = json::parse(text, nullptr, false);
    if (!document.is_object()) return std::nullopt;
    Reader reader{now};
    const json& version = reader.member(document, "version");
    if (!version.is_number_integer() || version.get<std::int64_t>() != kVersion) {
        return std::nullopt;
    }
    reader.pause_s =
        std::max(0.0, static_cast<double>(wall_s) - reader.number(document, "written_at"));
    const json& backends = reader.member(document, "backends");
    if (!backends.is_object()) return std::nullopt;
    LearnedStates out;
    for (const auto& [id, entry] : backends.items()) {
        if (out.size() >= kMaxBackends) break;
        out.emplace(id, reader.backend(entry));
    }
    if (!reader.good) return std::nullopt;
    return out;
}

}  // namespace ollama_proxy::router
