#pragma once

#include "ollama_proxy/config/words.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ollama_proxy::config {

using std::chrono::milliseconds;

/// Where a backend listens: `http[s]://host[:port][/base_path]`.
struct Endpoint {
    std::string text;  ///< for people: as written, but ending with `base_path`
    bool tls = false;
    std::string host;         ///< name or address, IPv6 without brackets
    std::uint16_t port = 0;   ///< 80 or 443 when left out
    std::string base_path{};  ///< "" or "/path", never with a slash or "/v1" at the end

    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Characteristics {
    double power_watts = 0;  ///< given, or by hardware; meaningless unless `power_known`
    bool power_known = false;
    milliseconds avg_latency{0};  ///< time to first token; given, or by hardware
    bool latency_known = false;
    double max_tokens_per_second = 0;  ///< 0 = not said
    int priority = 0;                  ///< breaks ties, the higher wins

    friend bool operator==(const Characteristics&, const Characteristics&) = default;
};

struct ModelCapability {
    double max_model_size_gb = 0;                       ///< 0 = no limit
    std::vector<std::string> supported_model_patterns;  ///< empty = all
    std::vector<std::string> preferred_models;
    std::vector<std::string> excluded_patterns;

    friend bool operator==(const ModelCapability&, const ModelCapability&) = default;
};

/// Names the sensors of a backend's device; what is empty is detected from `hardware`.
struct Device {
    std::string pci;
    std::string hwmon;
    std::string drm;
    std::string thermal_zone;
    std::string rapl;

    friend bool operator==(const Device&, const Device&) = default;
};

struct Timeouts {
    milliseconds connect{2000};
    milliseconds first_byte{120000};  ///< until the head of a stream
    milliseconds whole{600000};       ///< whole reply of a request that does not stream
    milliseconds stall{60000};        ///< between pieces of a stream

    friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

/// One model server. `id` is unique and never empty after loading.
struct Backend {
    std::string id;
    BackendType type = BackendType::ollama;
    std::string name;  ///< the id when left out
    Hardware hardware = Hardware::unknown;
    bool enabled = true;
    Endpoint endpoint;
    std::string secret;            ///< value of `api_key_env`; never logged, never shown
    std::string api_key_env;       ///< name of the variable it came from
    unsigned max_concurrency = 1;  ///< per model; default 1 (ollama), 4 (openai)
    bool max_concurrency_given = false;
    unsigned max_in_flight = 4;  ///< over all models; default 4 x max_concurrency
    bool forward_authorization = false;
    std::string ca_file;
    std::vector<std::pair<std::string, std::string>> headers;  ///< added to every upstream request
    Characteristics characteristics;
    ModelCapability model_capability;
    Device device;
    Timeouts timeouts;

    friend bool operator==(const Backend&, const Backend&) = default;
};

/// First guesses by hardware (npu 3 W / 800 ms and so on); both `known` flags false for cloud and
/// unknown.
[[nodiscard]] Characteristics default_characteristics(Hardware hardware);

}  // namespace ollama_proxy::config
