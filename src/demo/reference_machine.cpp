#include "ollama_proxy/demo/demo_server.hpp"

namespace ollama_proxy::demo {

namespace {

// Sizes of the real files, so that size limits of a configuration act as they would.
const DemoModel kQwenHalf{"qwen2.5:0.5b", 397'821'319};
const DemoModel kQwenOneHalf{"qwen2.5:1.5b", 986'061'892};
const DemoModel kEmbed{"nomic-embed-text:latest", 274'302'450};
const DemoModel kLlamaOne{"llama3.2:1b", 1'321'098'329};
const DemoModel kLlamaThree{"llama3.2:3b", 2'019'393'189};
const DemoModel kQwenSeven{"qwen2.5:7b", 4'683'087'332};
const DemoModel kPhi{"phi4:14b", 9'053'116'391};
const DemoModel kLlamaSeventy{"llama3:70b", 39'969'745'349};

DemoSettings server(std::string name, std::string hardware, double watts, double latency_ms,
                    double tokens_per_second, std::vector<DemoModel> models) {
    DemoSettings settings;
    settings.name = std::move(name);
    settings.hardware = std::move(hardware);
    settings.power_watts = watts;
    settings.first_token_ms = latency_ms;
    settings.tokens_per_second = tokens_per_second;
    settings.load_ms = 300;
    settings.models = std::move(models);
    return settings;
}

}  // namespace

std::vector<DemoSettings> reference_machine() {
    return {
        // Little power, up to 2 GB: the small models only.
        server("Simulated NPU (demo)", "npu", 3, 800, 15,
               {kQwenHalf, kQwenOneHalf, kLlamaOne, kEmbed}),
        // Up to 8 GB: what a laptop runs every day.
        server("Simulated integrated GPU (demo)", "igpu", 12, 400, 30,
               {kQwenHalf, kQwenOneHalf, kLlamaOne, kLlamaThree, kQwenSeven, kEmbed}),
        // No limit: all of them, and the only one that has the 70b model.
        server("Simulated NVIDIA GPU (demo)", "nvidia", 55, 150, 90,
               {kQwenHalf, kQwenOneHalf, kLlamaOne, kLlamaThree, kQwenSeven, kPhi, kLlamaSeventy,
                kEmbed}),
        // Up to 16 GB, slowly: the fallback for everything but 70b.
        server("Simulated CPU (demo)", "cpu", 28, 2000, 8,
               {kQwenHalf, kQwenOneHalf, kLlamaOne, kLlamaThree, kQwenSeven, kPhi, kEmbed}),
    };
}

}  // namespace ollama_proxy::demo
