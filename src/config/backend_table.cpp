#include "config/rows.hpp"
#include "config/tables.hpp"
#include "ollama_proxy/common/ascii.hpp"
#include "ollama_proxy/config/endpoint.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace ollama_proxy::config {
namespace {

constexpr double kMaxWatts = 100'000;
constexpr std::int64_t kMaxPriority = 1'000'000;

Table<Characteristics> characteristics_table() {
    return {number("power_watts", &Characteristics::power_watts, 0, kMaxWatts)
                .marks(&Characteristics::power_known),
            duration("avg_latency_ms", &Characteristics::avg_latency)
                .marks(&Characteristics::latency_known),
            number("max_tokens_per_second", &Characteristics::max_tokens_per_second, 0, 1e6),
            integer("priority", &Characteristics::priority, -kMaxPriority, kMaxPriority)};
}

Field<Backend> endpoint_field() {
    Field<Backend> field{"endpoint", {{}, "string", {}, {}, {}}, {}};
    field.read = [](Reader& reader, const Node* node, const std::string& key, Backend& backend) {
        const auto text = reader.text(*node, key);
        if (!text) return;
        auto parsed = parse_endpoint(*text);
        if (const auto* why = std::get_if<std::string>(&parsed)) {
            reader.problem(node->place, key, *why);
        } else {
            backend.endpoint = std::get<Endpoint>(std::move(parsed));
        }
    };
    return field;
}

bool is_token(std::string_view name) {
    constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kOthers.find(c) != std::string_view::npos;
    });
}

/// Headers that say where a message ends or goes: a configured one would break the connection.
bool is_framing(std::string_view name) {
    for (const std::string_view own : {"host", "connection", "content-length", "transfer-encoding",
                                       "upgrade", "te", "trailer", "keep-alive", "expect"}) {
        if (iequals(name, own)) return true;
    }
    return false;
}

Field<Backend> headers_field() {
    Field<Backend> field{"headers", {{}, "string_map", {}, {}, {}}, {}};
    field.read = [](Reader& reader, const Node* node, const std::string& key, Backend& backend) {
        auto given = reader.string_map(*node, key);
        if (!given) return;
        for (const auto& [name, value] : *given) {
            if (!is_token(name)) {
                reader.problem(key + "." + name, "is not a header name");
            } else if (is_framing(name)) {
                reader.problem(key + "." + name, "is set by the proxy itself");
            }
        }
        backend.headers = *std::move(given);
    };
    return field;
}

/// `priority` directly under the backend, as older files have it.
Field<Backend> older_priority_field() {
    Field<Backend> field{"priority", {}, {}};
    field.read = [](Reader& reader, const Node* node, const std::string& key, Backend& backend) {
        if (const auto value = reader.integer(*node, key, -kMaxPriority, kMaxPriority)) {
            backend.characteristics.priority = static_cast<int>(*value);
        }
    };
    return std::move(field).as_hidden();
}

bool is_id(std::string_view id) {
    constexpr std::size_t kLongestId = 64;
    return id.size() <= kLongestId && std::all_of(id.begin(), id.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '-' || c == '_' || c == '.';
           });
}

void find_secret(Reader& reader, const std::string& key, Backend& backend) {
    if (backend.api_key_env.empty()) return;
    reader.referenced_variables.insert(backend.api_key_env);
    if (reader.secrets == Secrets::ignored) return;
    const auto secret = reader.environment.get(backend.api_key_env);
    if (secret && !secret->empty()) {
        backend.secret = *secret;
        const bool printable = std::all_of(secret->begin(), secret->end(),
                                           [](unsigned char c) { return c > 0x20 && c < 0x7f; });
        if (!printable) {
            reader.problem(key + ".api_key_env", "the value of " + backend.api_key_env +
                                                     " has blanks or control characters");
        }
        return;
    }
    const std::string missing =
        "the environment variable " + backend.api_key_env + (secret ? " is empty" : " is not set");
    if (backend.enabled) {
        reader.problem(key + ".api_key_env", missing);
    } else {
        reader.warn(key + ".api_key_env: " + missing + "; ignored, the backend is disabled");
    }
}

}  // namespace

Table<Backend> backend_table() {
    return {
        text("id", &Backend::id),
        word("type", &Backend::type, parse_backend_type, {"ollama", "openai"}),
        text("name", &Backend::name),
        word("hardware", &Backend::hardware,
             +[](std::string_view text) {
                 // "unknown" is what leaving the key out means, not a word of the file
                 const auto hardware = parse_hardware(text);
                 return hardware == Hardware::unknown ? std::nullopt : hardware;
             },
             {"npu", "igpu", "nvidia", "amd", "cpu", "cloud"}),
        boolean("enabled", &Backend::enabled),
        endpoint_field(),
        text("api_key_env", &Backend::api_key_env),
        count("max_concurrency", &Backend::max_concurrency),
        count("max_in_flight", &Backend::max_in_flight),
        boolean("forward_authorization", &Backend::forward_authorization),
        text("ca_file", &Backend::ca_file),
        headers_field(),
        older_priority_field(),
        section("characteristics", &Backend::characteristics, characteristics_table()),
        section("model_capability", &Backend::model_capability,
                {number("max_model_size_gb", &ModelCapability::max_model_size_gb, 0, 1e6),
                 strings("supported_model_patterns", &ModelCapability::supported_model_patterns),
                 strings("preferred_models", &ModelCapability::preferred_models),
                 strings("excluded_patterns", &ModelCapability::excluded_patterns)}),
        section(
            "device", &Backend::device,
            {text("pci", &Device::pci), text("hwmon", &Device::hwmon), text("drm", &Device::drm),
             text("thermal_zone", &Device::thermal_zone), text("rapl", &Device::rapl)}),
        section("timeouts", &Backend::timeouts,
                {duration("connect_ms", &Timeouts::connect),
                 duration("first_byte_ms", &Timeouts::first_byte),
                 duration("whole_ms", &Timeouts::whole), duration("stall_ms", &Timeouts::stall)}),
    };
}

void complete_backend(Reader& reader, const std::string& key, Backend& backend) {
    const std::string id_key = key + ".id";
    if (backend.id.empty()) {
        reader.problem(id_key, "missing; every backend needs an id such as \"ollama-npu\"");
    } else if (!is_id(backend.id)) {
        reader.problem(id_key, "an id has up to 64 letters, digits, '-', '_' and '.'");
    }
    if (!reader.was_given(key + ".endpoint")) {
        reader.problem(key + ".endpoint",
                       "missing; expected http://host:port or https://host:port");
    }
    if (backend.name.empty()) backend.name = backend.id;

    backend.max_concurrency_given = backend.max_concurrency != 0;
    if (!backend.max_concurrency_given) {
        backend.max_concurrency = backend.type == BackendType::openai ? 4 : 1;
    }
    if (backend.max_in_flight == 0) {
        backend.max_in_flight = 4 * backend.max_concurrency;
    } else if (backend.max_in_flight < backend.max_concurrency) {
        reader.warn(key + ".max_in_flight is below max_concurrency, which then never applies");
    }

    const Characteristics guess = default_characteristics(backend.hardware);
    Characteristics& given = backend.characteristics;
    if (!given.power_known) {
        given.power_watts = guess.power_watts;
        given.power_known = guess.power_known;
    }
    if (!given.latency_known) {
        given.avg_latency = guess.avg_latency;
        given.latency_known = guess.latency_known;
    }

    std::error_code ignored;
    if (!backend.ca_file.empty() && !std::filesystem::exists(backend.ca_file, ignored)) {
        reader.problem(key + ".ca_file", "the file " + backend.ca_file + " does not exist");
    }
    find_secret(reader, key, backend);
}

}  // namespace ollama_proxy::config
