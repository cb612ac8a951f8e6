#include "upstream/catalog_parse.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unordered_set>

namespace ollama_proxy::upstream {
namespace {

using nlohmann::json;

/// nlohmann parses any depth, but dumps recursively.
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxVersion = 64;

bool is_shallow(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > kMaxDepth) return false;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return true;
}

std::optional<json> parse_object(std::string_view body) {
    if (!is_shallow(body)) return std::nullopt;
    json document = json::parse(body, nullptr, false);
    if (!document.is_object()) return std::nullopt;
    return document;
}

const json* find(const json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

/// The text of a string member, or "".
std::string_view text_of(const json& object, const char* key) {
    const json* value = find(object, key);
    if (value == nullptr || !value->is_string()) return {};
    return value->get_ref<const std::string&>();
}

/// Bytes; 0 is not an answer.
std::optional<std::uint64_t> size_of(const json& entry) {
    const json* size = find(entry, "size");
    if (size == nullptr || !size->is_number_unsigned()) return std::nullopt;
    const auto bytes = size->get<std::uint64_t>();
    return bytes > 0 ? std::optional(bytes) : std::nullopt;
}

bool is_usable_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxModelName &&
           std::all_of(name.begin(), name.end(), [](char c) {
               const auto byte = static_cast<unsigned char>(c);
               return byte >= 0x20 && byte != 0x7f;
           });
}

std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Calls `take(entry, name)` for each usable entry of a list; false when there is no list.
template <class Take>
bool for_each_entry(const json& document, const char* list, const char* name_key,
                    const char* other_name_key, Take take) {
    const json* entries = find(document, list);
    if (entries == nullptr) return false;
    if (entries->is_null()) return true;  // Go writes an empty list so
    if (!entries->is_array()) return false;
    std::unordered_set<std::string> seen;
    for (const json& entry : *entries) {
        if (seen.size() >= kMaxModels) break;
        std::string_view name = text_of(entry, name_key);
        if (name.empty() && other_name_key != nullptr) name = text_of(entry, other_name_key);
        if (is_usable_name(name) && seen.emplace(name).second) take(entry, std::string(name));
    }
    return true;
}

/// Two or four digits at `at`, or -1.
int digits(std::string_view text, std::size_t at, std::size_t count) {
    if (at + count > text.size()) return -1;
    int value = 0;
    for (const char c : text.substr(at, count)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

}  // namespace

std::optional<std::vector<Model>> parse_tags(std::string_view body) {
    const auto document = parse_object(body);
    std::vector<Model> models;
    const auto take = [&models](const json& entry, std::string name) {
        Model model;
        model.key = model_key(config::BackendType::ollama, name);
        model.name = std::move(name);
        model.size_bytes = size_of(entry);
        model.created = parse_rfc3339(text_of(entry, "modified_at")).value_or(0);
        model.json = dump(entry);
        models.push_back(std::move(model));
    };
    if (!document || !for_each_entry(*document, "models", "name", "model", take)) {
        return std::nullopt;
    }
    return models;
}

std::optional<std::vector<LoadedModel>> parse_ps(std::string_view body) {
    const auto document = parse_object(body);
    std::vector<LoadedModel> models;
    const auto take = [&models](const json& entry, std::string name) {
        auto key = model_key(config::BackendType::ollama, name);
        models.push_back({std::move(name), std::move(key), dump(entry), size_of(entry)});
    };
    if (!document || !for_each_entry(*document, "models", "name", "model", take)) {
        return std::nullopt;
    }
    return models;
}

std::optional<std::vector<Model>> parse_openai_models(std::string_view body) {
    const auto document = parse_object(body);
    std::vector<Model> models;
    const auto take = [&models](const json& entry, std::string name) {
        Model model;
        model.key = model_key(config::BackendType::openai, name);
        model.name = std::move(name);
        model.owned_by = text_of(entry, "owned_by");
        const json* created = find(entry, "created");
        if (created != nullptr && created->is_number()) {
            const double seconds = created->get<double>();
            if (seconds > 0 && seconds < 1e12) model.created = static_cast<std::int64_t>(seconds);
        }
        model.json = dump(entry);
        models.push_back(std::move(model));
    };
    if (!document || !for_each_entry(*document, "data", "id", nullptr, take)) return std::nullopt;
    return models;
}

std::optional<std::string> parse_version(std::string_view body) {
    const auto document = parse_object(body);
    if (!document) return std::nullopt;
    const std::string_view version = text_of(*document, "version");
    if (!is_usable_name(version) || version.size() > kMaxVersion) return std::nullopt;
    return std::string(version);
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
    using namespace std::chrono;
    constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
    if (text.size() <= kShape.size()) return std::nullopt;
    for (std::size_t i = 0; i < kShape.size(); ++i) {
        const bool separator_ok =
            kShape[i] == 'T' ? (text[i] == 'T' || text[i] == 't') : text[i] == kShape[i];
        if (kShape[i] != 'd' && !separator_ok) return std::nullopt;
    }
    const int fields[] = {digits(text, 0, 4),  digits(text, 5, 2),  digits(text, 8, 2),
                          digits(text, 11, 2), digits(text, 14, 2), digits(text, 17, 2)};
    if (std::any_of(std::begin(fields), std::end(fields), [](int f) { return f < 0; })) {
        return std::nullopt;
    }
    const auto date = year{fields[0]} / month{static_cast<unsigned>(fields[1])} /
                      day{static_cast<unsigned>(fields[2])};
    if (!date.ok() || fields[3] > 23 || fields[4] > 59 || fields[5] > 60) return std::nullopt;

    std::size_t at = kShape.size();
    if (text[at] == '.') {
        do ++at;
        while (at < text.size() && text[at] >= '0' && text[at] <= '9');
    }
    const std::string_view zone = text.substr(at);
    int offset_minutes = 0;
    if (zone != "Z" && zone != "z") {
        const int hours = digits(zone, 1, 2);
        const int minutes = digits(zone, 4, 2);
        if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || hours < 0 ||
            hours > 23 || minutes < 0 || minutes > 59) {
            return std::nullopt;
        }
        offset_minutes = (hours * 60 + minutes) * (zone[0] == '-' ? -1 : 1);
    }
    const std::int64_t day_seconds =
        sys_days(date).time_since_epoch().count() * std::int64_t{86400};
    return day_seconds + fields[3] * 3600 + fields[4] * 60 + fields[5] - offset_minutes * 60;
}

}  // namespace ollama_proxy::upstream
