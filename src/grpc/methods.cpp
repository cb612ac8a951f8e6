#include "grpc/methods.hpp"

#include <array>

namespace ollama_proxy::grpc_api {
namespace {

using enum access::Permission;

constexpr std::array kProxyMethods{
    Method{"/ollama_proxy.OllamaProxy/Generate", inference, generate},
    Method{"/ollama_proxy.OllamaProxy/GenerateStream", inference, generate_stream},
    Method{"/ollama_proxy.OllamaProxy/ChatCompletion", inference, chat_completion},
    Method{"/ollama_proxy.OllamaProxy/ChatCompletionStream", inference, chat_completion_stream},
    Method{"/ollama_proxy.OllamaProxy/Embeddings", inference, embeddings},
    Method{"/ollama_proxy.OllamaProxy/ListModels", read, list_models},
    Method{"/ollama_proxy.OllamaProxy/ListBackends", read, list_backends},
    Method{"/ollama_proxy.OllamaProxy/HealthCheck", read, health_check},
    Method{"/ollama_proxy.OllamaProxy/GetEfficiency", read, get_efficiency},
    Method{"/ollama_proxy.OllamaProxy/SetEfficiency", admin, set_efficiency},
    Method{"/ollama_proxy.OllamaProxy/WatchState", read, watch_state, true},
};

// open to everybody, as /readyz is
constexpr std::array kHealthMethods{
    Method{"/grpc.health.v1.Health/Check", none, check_serving},
    Method{"/grpc.health.v1.Health/Watch", none, watch_serving, true},
};

}  // namespace

std::span<const Method> proxy_methods() { return kProxyMethods; }
std::span<const Method> health_methods() { return kHealthMethods; }

}  // namespace ollama_proxy::grpc_api
