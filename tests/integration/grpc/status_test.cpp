// What a call ends with when it cannot be served (wire contract, section 4), and who may call.

#include "grpc_client.hpp"
#include "support/raw_client.hpp"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>
#include <map>

namespace ollama_proxy::grpc_tests {
namespace {

using support::Milliseconds;
using ::testing::HasSubstr;

Status ask(Client& client, const GenerateRequest& request = prompt()) {
    GenerateResponse response;
    return generate(client.stub(), request, response);
}

TEST(GrpcStatus, ARequestThatIsWrongIsInvalidArgument) {
    Client client({support::good_backend()});
    EXPECT_EQ(ask(client, prompt("hi", "")).error_code(), StatusCode::INVALID_ARGUMENT);
    GenerateRequest request = prompt();
    request.mutable_annotations()->set_target("nobody");
    const Status unknown = ask(client, request);
    EXPECT_EQ(unknown.error_code(), StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(unknown.error_message(), HasSubstr("a"));
    request = prompt();
    request.mutable_annotations()->set_priority("urgent");
    EXPECT_EQ(ask(client, request).error_code(), StatusCode::INVALID_ARGUMENT);
    EmbeddingsResponse vectors;
    ClientContext context;
    EXPECT_EQ(client->Embeddings(&context, {}, &vectors).error_code(),
              StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(client.chain()[0].request_count(), 0U);
}

TEST(GrpcStatus, AModelThatNobodyHasIsNotFound) {
    Client client({support::good_backend()});
    const Status status = ask(client, prompt("hi", "other-model"));
    EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
    EXPECT_THAT(status.error_message(), HasSubstr("other-model"));
}

TEST(GrpcStatus, ABackendThatBreaksItsProtocolIsInternal) {
    Client client({[](Peer& peer) {
        peer.read_request();
        peer.send("garbage\r\n\r\n");
    }});
    EXPECT_EQ(ask(client).error_code(), StatusCode::INTERNAL);
}

TEST(GrpcStatus, AnErrorOfTheBackendKeepsItsMeaning) {
    Client client({ScriptedBackend::answering_json(R"({"error":"no such option"})", 400)});
    const Status status = ask(client);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("no such option"));
}

/// Clients take 8 KiB of metadata behind an answer, the reason included, and no status beyond.
TEST(GrpcStatus, ALongReasonIsCutAndTheStatusArrives) {
    Client client({support::good_backend()});
    GenerateRequest request = prompt();
    request.mutable_annotations()->set_target(std::string(20000, 'x'));
    const Status status = ask(client, request);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("xxx"));
}

TEST(GrpcStatus, ABusyBackendIsResourceExhaustedWithTheTimeThatItNamed) {
    Client client({ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
        peer.reply(429, R"({"error":"busy"})", "application/json", "Retry-After: 7\r\n");
    })});
    ClientContext first;
    GenerateResponse text;
    EXPECT_EQ(client->Generate(&first, prompt(), &text).error_code(),
              StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(trailer(first, "retry-after"), "7");

    Client other({ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
        peer.reply(429, R"({"error":"busy"})", "application/json", "Retry-After: 7\r\n");
    })});
    ClientContext second;
    EmbeddingsRequest request;
    request.set_model("test-model");
    request.set_input("hi");
    EmbeddingsResponse vectors;
    const Status status = other->Embeddings(&second, request, &vectors);
    EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_THAT(status.error_message(), HasSubstr("busy"));
    EXPECT_EQ(trailer(second, "retry-after"), "7");
}

TEST(GrpcStatus, NobodyToServeIsUnavailableWithTheTimeToWait) {
    Client client({support::good_backend()});
    client.chain()[0].stop();
    ClientContext context;
    GenerateResponse response;
    const Status status = client->Generate(&context, prompt(), &response);
    EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
    EXPECT_GT(std::atoi(trailer(context, "retry-after").c_str()), 0);
}

TEST(GrpcStatus, NoFirstByteInTimeIsUnavailable) {
    Client client({ScriptedBackend::answering(
                      [](Peer& peer, const RecordedRequest&) { (void)peer.wait_closed(); })},
                  speaking_grpc("timeouts: { first_byte_ms: 80 }"));
    EXPECT_EQ(ask(client).error_code(), StatusCode::UNAVAILABLE);
}

/// Holds its only slot until the test lets it go.
class Busy {
  public:
    explicit Busy(const std::string& queue)
        : client_({ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
                      peer.begin_chunked("application/x-ndjson");
                      peer.chunk("{\"response\":\"x\"}\n");
                      (void)peer.wait_closed();
                  })},
                  {kGrpcOn + queue + support::kQuiet, "max_concurrency: 1", {}}),
          holder_(client_->GenerateStream(&context_, prompt())) {
        GenerateStreamResponse first;
        if (!holder_->Read(&first)) throw std::runtime_error(holder_->Finish().error_message());
    }
    ~Busy() {
        context_.TryCancel();
        (void)holder_->Finish();
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
    [[nodiscard]] Client& client() { return client_; }

  private:
    Client client_;
    ClientContext context_;
    std::unique_ptr<::grpc::ClientReader<GenerateStreamResponse>> holder_;
};

TEST(GrpcStatus, AFullQueueIsResourceExhaustedWithTheTimeToWait) {
    Busy busy("queue: { max_size: 0 }\n");
    ClientContext context;
    GenerateResponse response;
    const Status status = busy.client()->Generate(&context, prompt(), &response);
    EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_GT(std::atoi(trailer(context, "retry-after").c_str()), 0);
}

TEST(GrpcStatus, WaitingTooLongInTheQueueIsUnavailable) {
    Busy busy("queue: { timeout_ms: 60 }\n");
    EXPECT_EQ(ask(busy.client()).error_code(), StatusCode::UNAVAILABLE);
}

TEST(GrpcStatus, TheClientsDeadlineEndsItsWaitInTheQueue) {
    Busy busy("");
    ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + Milliseconds(80));
    GenerateResponse response;
    EXPECT_EQ(busy.client()->Generate(&context, prompt(), &response).error_code(),
              StatusCode::DEADLINE_EXCEEDED);
    EXPECT_TRUE(
        support::eventually([&] { return busy.client().chain().count("a", "queue_depth") == 0; }));
    EXPECT_EQ(busy.client().chain()[0].request_count(), 1U) << "the holder's alone";
}

TEST(GrpcStatus, AStreamThatBreaksHasNoLastMessage) {
    const std::string piece = "{\"response\":\"one\"}\n";
    const std::vector<ScriptedBackend::Script> ways{
        ScriptedBackend::answering([=](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked("application/x-ndjson");
            peer.chunk(piece);
            peer.reset();
        }),
        support::streaming("application/x-ndjson", {piece}),  // ends without done
        support::streaming("application/x-ndjson", {piece, "not json\n", kOllamaEnd + "\n"}),
        support::streaming("application/x-ndjson", {piece, "{\"error\":\"out of memory\"}\n"}),
    };
    for (const auto& way : ways) {
        Client client({way});
        ClientContext context;
        auto reader = client->GenerateStream(&context, prompt());
        GenerateStreamResponse message;
        ASSERT_TRUE(reader->Read(&message));
        EXPECT_EQ(message.token(), "one");
        EXPECT_FALSE(reader->Read(&message));
        const Status status = reader->Finish();
        EXPECT_EQ(status.error_code(), StatusCode::INTERNAL) << status.error_message();
        EXPECT_FALSE(status.error_message().empty());
    }
}

TEST(GrpcLimits, AMessageOverTheBodyLimitIsResourceExhausted) {
    Client client(
        {support::good_backend()},
        {"server: { grpc_port: 0, limits: { body_bytes: 4096 } }\n" + support::kQuiet, "", {}});
    EXPECT_EQ(ask(client, prompt(std::string(5000, 'x'))).error_code(),
              StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(client.chain()[0].request_count(), 0U);
}

/// A few KiB could become many times the limit.
TEST(GrpcLimits, ACompressedMessageIsRefusedAndNotUnpacked) {
    Client client({ndjson({R"({"response":"x"})", kOllamaEnd})});
    for (const auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
        ClientContext context;
        context.set_compression_algorithm(algorithm);
        GenerateResponse response;
        const Status status =
            client->Generate(&context, prompt(std::string(100'000, 'x')), &response);
        EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED) << status.error_message();
    }
    EXPECT_EQ(client.chain()[0].request_count(), 0U);
    EXPECT_TRUE(ask(client, prompt(std::string(100'000, 'x'))).ok());
}

TEST(GrpcLimits, MetadataOverTheHeaderLimitsIsResourceExhausted) {
    Client client({support::good_backend()});
    const auto list = [&](int entries, const std::string& value) {
        ClientContext context;
        for (int i = 0; i < entries; ++i) context.AddMetadata("x-" + std::to_string(i), value);
        ListModelsResponse response;
        return client->ListModels(&context, {}, &response);
    };
    const Status big = list(1, std::string(30000, 'x'));
    EXPECT_EQ(big.error_code(), StatusCode::RESOURCE_EXHAUSTED) << big.error_message();
    const Status many = list(120, "v");
    EXPECT_EQ(many.error_code(), StatusCode::RESOURCE_EXHAUSTED) << many.error_message();
    EXPECT_TRUE(list(80, "v").ok());
}

/// What the server says in its first frame, by number (RFC 9113, 6.5).
std::map<int, std::uint32_t> settings_of(std::uint16_t port) {
    constexpr std::size_t kFrameHead = 9;
    constexpr std::size_t kSetting = 6;
    support::Socket socket = support::Socket::connect(port);
    socket.send(std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x4\0\0\0\0\0", 33));
    std::string bytes;
    const auto number = [&](std::size_t at, std::size_t size) {
        std::uint32_t out = 0;
        for (std::size_t i = at; i < at + size; ++i) {
            out = out << 8 | static_cast<unsigned char>(bytes[i]);
        }
        return out;
    };
    const support::TimePoint end = support::Clock::now() + support::kPatience;
    while (bytes.size() < kFrameHead || bytes.size() < kFrameHead + number(0, 3)) {
        const std::string more = socket.receive(end);
        if (more.empty()) return {};
        bytes += more;
    }
    std::map<int, std::uint32_t> settings;
    const std::size_t size = kFrameHead + number(0, 3);
    for (std::size_t at = kFrameHead; at < size; at += kSetting) {
        settings[static_cast<int>(number(at, 2))] = number(at + 2, 4);
    }
    return settings;
}

TEST(GrpcLimits, StreamsOfAConnectionAndItsMetadataAreLimitedInTheFirstFrame) {
    const TestDaemon daemon(support::config_yaml({}, kGrpcOn));
    constexpr int kMaxConcurrentStreams = 3;
    constexpr int kMaxHeaderListSize = 6;
    const auto settings = settings_of(daemon.grpc_port());
    ASSERT_TRUE(settings.contains(kMaxConcurrentStreams));
    EXPECT_EQ(settings.at(kMaxConcurrentStreams), 256U);
    ASSERT_TRUE(settings.contains(kMaxHeaderListSize));
    EXPECT_EQ(settings.at(kMaxHeaderListSize), 2U * 16384) << "our gate refuses at half of it";
}

TEST(GrpcLimits, TheRateOfAClientCountsOverBothPorts) {
    Client client({support::good_backend()},
                  {"server: { grpc_port: 0, rate_limit: { enabled: true, rate: 0.01, burst: 1 } "
                   "}\n" +
                       support::kQuiet,
                   "",
                   {}});
    EXPECT_EQ(client.chain().post(support::chat_body()).status, 200);
    ClientContext context;
    GenerateResponse response;
    const Status status = client->Generate(&context, prompt(), &response);
    EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_GT(std::atoi(trailer(context, "retry-after").c_str()), 0);
    ClientContext other;
    ListModelsResponse models;
    EXPECT_TRUE(client->ListModels(&other, {}, &models).ok()) << "reading is not limited";
}

TEST(GrpcGate, AForeignAuthorityIsRefused) {
    Client client({support::good_backend()});
    ::grpc::ChannelArguments arguments;
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "evil.example:50051");
    const auto stub = OllamaProxy::NewStub(connect(client.daemon().grpc_port(), arguments));
    ClientContext context;
    ListModelsResponse response;
    EXPECT_EQ(stub->ListModels(&context, {}, &response).error_code(),
              StatusCode::PERMISSION_DENIED);
}

TEST(GrpcGate, EachMethodOpensToItsPermissionAlone) {
    const config::Environment keys{{{"ASK_KEY", "sk-ask"}, {"READ_KEY", "sk-read"}}};
    ScriptedBackend backend(support::good_backend());
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())},
                             "server: { grpc_port: 0, auth: { enabled: true, api_keys: [\n"
                             "  { name: ask, key_env: ASK_KEY, permissions: [inference] },\n"
                             "  { name: read, key_env: READ_KEY, permissions: [read] } ] } }\n"),
        keys);
    const auto stub = stub_for(daemon.grpc_port());
    const auto list = [&](const std::string& authorization) {
        ClientContext context;
        if (!authorization.empty()) context.AddMetadata("authorization", authorization);
        ListBackendsResponse response;
        return stub->ListBackends(&context, {}, &response).error_code();
    };
    EXPECT_EQ(list(""), StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(list("Bearer wrong"), StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(list("Bearer sk-ask"), StatusCode::PERMISSION_DENIED);
    EXPECT_EQ(list("Bearer sk-read"), StatusCode::OK);
    ClientContext context;
    context.AddMetadata("authorization", "Bearer sk-read");
    SetEfficiencyRequest quiet;
    quiet.set_mode("Quiet");
    EfficiencyState state;
    EXPECT_EQ(stub->SetEfficiency(&context, quiet, &state).error_code(),
              StatusCode::PERMISSION_DENIED);
}

TEST(GrpcGate, AKeyThatAReloadTookAwayOpensNothingOnAnOpenConnectionEither) {
    const config::Environment secrets{{{"OLD_KEY", "sk-old"}, {"NEW_KEY", "sk-new"}}};
    const auto with_key = [](const std::string& name) {
        return support::config_yaml({},
                                    "server: { grpc_port: 0, auth: { enabled: true, api_keys: [\n"
                                    "  { name: one, key_env: " +
                                        name + " } ] } }\n");
    };
    TestDaemon daemon(with_key("OLD_KEY"), secrets);
    const auto stub = stub_for(daemon.grpc_port());
    const auto list = [&](const std::string& key) {
        ClientContext context;
        context.AddMetadata("authorization", "Bearer " + key);
        ListBackendsResponse response;
        return stub->ListBackends(&context, {}, &response).error_code();
    };
    EXPECT_EQ(list("sk-old"), StatusCode::OK);
    daemon.reload(with_key("NEW_KEY"), secrets);
    EXPECT_EQ(list("sk-old"), StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(list("sk-new"), StatusCode::OK);
}

TEST(GrpcGate, AsksForTheKeyBeforeTheMessageHasCome) {
    const config::Environment keys{{{"ASK_KEY", "sk-ask"}}};
    const TestDaemon daemon(
        support::config_yaml({},
                             "server: { grpc_port: 0, auth: { enabled: true, api_keys: [\n"
                             "  { name: ask, key_env: ASK_KEY } ] } }\n"),
        keys);
    ::grpc::GenericStub stub(connect(daemon.grpc_port()));
    ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + support::kPatience);
    ::grpc::CompletionQueue queue;
    auto call = stub.PrepareCall(&context, "/ollama_proxy.OllamaProxy/Generate", &queue);
    call->StartCall(nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    Status status;  // nothing is ever sent
    call->Finish(&status, nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED) << status.error_message();
    queue.Shutdown();
    while (queue.Next(&tag, &ok)) {
    }
}

TEST(GrpcGate, AnUnknownMethodIsUnimplemented) {
    const TestDaemon daemon(support::config_yaml({}, kGrpcOn));
    ::grpc::GenericStub stub(connect(daemon.grpc_port()));
    ClientContext context;
    const ::grpc::Slice nothing("");
    const ::grpc::ByteBuffer request(&nothing, 1);
    ::grpc::ByteBuffer response;
    std::promise<Status> ended;
    stub.UnaryCall(&context, "/ollama_proxy.OllamaProxy/Nothing", {}, &request, &response,
                   [&](Status status) { ended.set_value(status); });
    EXPECT_EQ(ended.get_future().get().error_code(), StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace ollama_proxy::grpc_tests
