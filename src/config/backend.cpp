#include "ollama_proxy/config/backend.hpp"

namespace ollama_proxy::config {

Characteristics default_characteristics(Hardware hardware) {
    const auto guess = [](double watts, int latency_ms) {
        Characteristics characteristics;
        characteristics.power_watts = watts;
        characteristics.power_known = true;
        characteristics.avg_latency = milliseconds(latency_ms);
        characteristics.latency_known = true;
        return characteristics;
    };
    switch (hardware) {
        case Hardware::npu:
            return guess(3, 800);
        case Hardware::igpu:
            return guess(12, 400);
        case Hardware::nvidia:
            return guess(55, 150);
        case Hardware::amd:
            return guess(45, 200);
        case Hardware::cpu:
            return guess(28, 2000);
        case Hardware::cloud:
        case Hardware::unknown:
            break;
    }
    return {};
}

}  // namespace ollama_proxy::config
