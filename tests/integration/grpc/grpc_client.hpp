#pragma once

#include "integration/relay_support.hpp"
#include "ollama_proxy.grpc.pb.h"

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

/// The generated client, as a user of the .proto has it, against a whole daemon.
namespace ollama_proxy::grpc_tests {

using ::grpc::ClientContext;
using ::grpc::Status;
using ::grpc::StatusCode;
using support::Peer;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::TestDaemon;

/// A channel of its own: channels with equal arguments share their connection.
inline std::shared_ptr<::grpc::Channel> connect(std::uint16_t port,
                                                ::grpc::ChannelArguments arguments = {}) {
    static std::atomic<int> count{0};
    arguments.SetInt("ollama_proxy.test.channel", count++);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    return ::grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                       ::grpc::InsecureChannelCredentials(), arguments);
}

inline std::unique_ptr<OllamaProxy::Stub> stub_for(std::uint16_t port) {
    return OllamaProxy::NewStub(connect(port));
}

inline const std::string kGrpcOn = "server: { grpc_port: 0 }\n";

/// Sections for a daemon that speaks gRPC and is otherwise kept quiet.
inline support::Chain::Extra speaking_grpc(std::string per_backend = "max_concurrency: 8") {
    return {kGrpcOn + support::kQuiet, std::move(per_backend), {}};
}

/// One client of one daemon in front of scripted backends.
class Client {
  public:
    explicit Client(std::vector<ScriptedBackend::Script> scripts)
        : Client(std::move(scripts), speaking_grpc()) {}
    Client(std::vector<ScriptedBackend::Script> scripts, const support::Chain::Extra& extra)
        : chain_(std::move(scripts), extra), stub_(stub_for(chain_.daemon().grpc_port())) {}

    [[nodiscard]] support::Chain& chain() { return chain_; }
    [[nodiscard]] TestDaemon& daemon() { return chain_.daemon(); }
    [[nodiscard]] OllamaProxy::Stub& stub() { return *stub_; }
    OllamaProxy::Stub* operator->() { return stub_.get(); }

  private:
    support::Chain chain_;
    std::unique_ptr<OllamaProxy::Stub> stub_;
};

inline GenerateRequest prompt(std::string text = "hi", std::string model = "test-model") {
    GenerateRequest request;
    request.set_prompt(std::move(text));
    request.set_model(std::move(model));
    return request;
}

inline ChatCompletionRequest chat(std::string text = "hi", std::string model = "test-model") {
    ChatCompletionRequest request;
    request.set_model(std::move(model));
    ChatMessage& message = *request.add_messages();
    message.set_role("user");
    message.set_content(std::move(text));
    return request;
}

/// One unary Generate with all defaults.
inline Status generate(OllamaProxy::Stub& stub, const GenerateRequest& request,
                       GenerateResponse& response) {
    ClientContext context;
    return stub.Generate(&context, request, &response);
}

/// Of the metadata behind the answer; empty when it is not there.
inline std::string trailer(const ClientContext& context, const std::string& name) {
    const auto& metadata = context.GetServerTrailingMetadata();
    const auto found = metadata.find(name);
    if (found == metadata.end()) return {};
    return {found->second.data(), found->second.size()};
}

/// An Ollama backend's stream, one line each.
inline ScriptedBackend::Script ndjson(std::vector<std::string> lines) {
    for (std::string& line : lines) line += '\n';
    return support::streaming("application/x-ndjson", std::move(lines));
}

inline const std::string kOllamaEnd =
    R"({"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":2})";

}  // namespace ollama_proxy::grpc_tests
