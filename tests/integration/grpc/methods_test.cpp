// What each method asks of a backend and answers.

#include "grpc_client.hpp"

#include <gmock/gmock.h>

namespace ollama_proxy::grpc_tests {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

json asked(support::Chain& chain) { return json::parse(chain[0].wait_for_requests(1).at(0).body); }

TEST(GrpcGenerate, CollectsTheStreamOfAnOllamaBackend) {
    Client client({ndjson({R"({"response":"Hel","thinking":""})", R"({"response":"lo"})",
                           R"({"response":"","thinking":"hm"})", kOllamaEnd})});
    GenerateRequest request = prompt("Explain AI");
    request.mutable_options()->set_temperature(0.5);
    request.mutable_options()->set_max_tokens(7);
    request.mutable_options()->add_stop("END");
    GenerateResponse response;
    const Status status = generate(client.stub(), request, response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.response(), "Hello");
    EXPECT_EQ(response.thinking(), "hm");
    EXPECT_EQ(response.backend_used(), "a");
    EXPECT_EQ(response.routing().backend(), "a");
    EXPECT_FALSE(response.routing().reason().empty());
    EXPECT_EQ(response.stats().prompt_tokens(), 5U);
    EXPECT_EQ(response.stats().tokens_generated(), 2U);
    EXPECT_GT(response.stats().time_to_first_token_ms(), 0);
    EXPECT_GE(response.stats().total_time_ms(), response.stats().time_to_first_token_ms());

    EXPECT_EQ(client.chain()[0].wait_for_requests(1).at(0).target, "/api/generate");
    const json body = asked(client.chain());
    EXPECT_EQ(body["prompt"], "Explain AI");
    EXPECT_EQ(body["stream"], true);
    EXPECT_EQ(body["options"]["temperature"], 0.5);
    EXPECT_EQ(body["options"]["num_predict"], 7);
    EXPECT_EQ(body["options"]["stop"], json({"END"}));
}

TEST(GrpcGenerate, AsksAnOpenaiBackendForAChatWithUsage) {
    Client client(
        {support::streaming("text/event-stream", {support::delta("one "), support::delta("two"),
                                                  support::kFinish, support::kDone})},
        speaking_grpc("type: openai"));
    GenerateResponse response;
    const Status status = generate(client.stub(), prompt("Say two"), response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.response(), "one two");
    EXPECT_EQ(response.stats().tokens_generated(), 2U) << "counted where no usage came";
    EXPECT_EQ(client.chain()[0].wait_for_requests(1).at(0).target, "/v1/chat/completions");
    const json body = asked(client.chain());
    EXPECT_EQ(body["messages"][0]["content"], "Say two");
    EXPECT_EQ(body["stream_options"]["include_usage"], true);
}

TEST(GrpcGenerate, StreamsPieceByPieceAndEndsWithTheTotals) {
    Client client({ndjson({R"({"response":"one "})", R"({"response":"two"})", kOllamaEnd})});
    ClientContext context;
    auto reader = client->GenerateStream(&context, prompt());
    std::vector<GenerateStreamResponse> pieces;
    for (GenerateStreamResponse piece; reader->Read(&piece);) pieces.push_back(piece);
    const Status status = reader->Finish();
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(pieces.size(), 3U);
    EXPECT_EQ(pieces[0].token(), "one ");
    EXPECT_EQ(pieces[0].backend_used(), "a");
    EXPECT_TRUE(pieces[0].has_routing());
    EXPECT_FALSE(pieces[0].has_stats());
    EXPECT_EQ(pieces[1].token(), "two");
    EXPECT_FALSE(pieces[1].has_routing());
    EXPECT_FALSE(pieces[1].done());
    EXPECT_TRUE(pieces[2].done());
    EXPECT_EQ(pieces[2].token(), "");
    EXPECT_EQ(pieces[2].finish_reason(), "stop");
    EXPECT_EQ(pieces[2].stats().tokens_generated(), 2U);
    EXPECT_TRUE(pieces[2].has_routing());
}

TEST(GrpcChat, TellsRoleReasonAndToolCalls) {
    Client client({ndjson(
        {R"({"message":{"role":"assistant","content":"I look. ","thinking":"where?"}})",
         R"({"message":{"content":"","tool_calls":[{"function":{"name":"find","arguments":{"what":"x"}}}]}})",
         R"({"message":{"content":""},"done":true,"done_reason":"stop","eval_count":3})"})});
    ChatCompletionRequest request = chat("find x");
    request.mutable_messages(0)->add_images("aGVsbG8=");
    request.set_tools_json(R"([{"type":"function","function":{"name":"find"}}])");
    ChatCompletionResponse response;
    ClientContext context;
    const Status status = client->ChatCompletion(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.message().role(), "assistant");
    EXPECT_EQ(response.message().content(), "I look. ");
    EXPECT_EQ(response.message().thinking(), "where?");
    const json calls = json::parse(response.message().tool_calls_json());
    EXPECT_EQ(calls[0]["function"]["name"], "find");
    EXPECT_EQ(response.stats().tokens_generated(), 3U);
    EXPECT_FALSE(response.finish_reason().empty());
    EXPECT_EQ(client.chain()[0].wait_for_requests(1).at(0).target, "/api/chat");
    const json body = asked(client.chain());
    EXPECT_EQ(body["messages"][0]["images"][0], "aGVsbG8=");
    EXPECT_EQ(body["tools"][0]["function"]["name"], "find");
}

TEST(GrpcChat, StreamsTextAndGivesToolCallsWholeAtTheEnd) {
    const std::string first =
        R"(data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"find","arguments":"{\"wh"}}]}}]})";
    const std::string second =
        R"(data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"at\":1}"}}]}}]})";
    Client client({support::streaming("text/event-stream",
                                      {support::delta("hi"), first + "\n\n", second + "\n\n",
                                       support::kFinish, support::kDone})},
                  speaking_grpc("type: openai"));
    ClientContext context;
    auto reader = client->ChatCompletionStream(&context, chat());
    std::vector<ChatCompletionStreamResponse> pieces;
    for (ChatCompletionStreamResponse piece; reader->Read(&piece);) pieces.push_back(piece);
    const Status status = reader->Finish();
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(pieces.size(), 2U);
    EXPECT_EQ(pieces[0].token(), "hi");
    const json calls = json::parse(pieces[1].tool_calls_json());
    EXPECT_EQ(calls[0]["id"], "c1");
    EXPECT_EQ(calls[0]["function"]["arguments"], R"({"what":1})");
    EXPECT_EQ(pieces[1].finish_reason(), "stop");
}

TEST(GrpcEmbeddings, GiveOneVectorAndSeveral) {
    Client client({ScriptedBackend::answering_json(R"({"embeddings":[[0.5,1],[2,-3]]})")});
    EmbeddingsRequest request;
    request.set_model("test-model");
    request.add_inputs("one");
    request.add_inputs("two");
    EmbeddingsResponse response;
    ClientContext context;
    const Status status = client->Embeddings(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_THAT(response.embedding(), ElementsAre(0.5F, 1.0F));
    ASSERT_EQ(response.embeddings_size(), 2);
    EXPECT_THAT(response.embeddings(1).values(), ElementsAre(2.0F, -3.0F));
    EXPECT_EQ(response.backend_used(), "a");
    EXPECT_EQ(client.chain()[0].wait_for_requests(1).at(0).target, "/api/embed");
}

TEST(GrpcState, ListsModelsBackendsAndHealth) {
    Client client({support::good_backend(), support::good_backend()});
    ClientContext first;
    ListModelsResponse models;
    ASSERT_TRUE(client->ListModels(&first, {}, &models).ok());
    ASSERT_EQ(models.models_size(), 1);
    EXPECT_EQ(models.models(0).name(), "test-model");
    EXPECT_THAT(models.models(0).backends(), ElementsAre("a", "b"));

    ClientContext second;
    ListBackendsResponse backends;
    ASSERT_TRUE(client->ListBackends(&second, {}, &backends).ok());
    ASSERT_EQ(backends.backends_size(), 2);
    EXPECT_EQ(backends.backends(0).id(), "a");
    EXPECT_EQ(backends.backends(0).state(), "healthy");
    EXPECT_EQ(backends.backends(0).max_concurrency(), 8U);
    EXPECT_FALSE(backends.backends(0).has_temperature_c()) << "what is not known is not set";

    ClientContext third;
    HealthCheckResponse health;
    ASSERT_TRUE(client->HealthCheck(&third, {}, &health).ok());
    EXPECT_EQ(health.status(), "healthy");
    EXPECT_TRUE(health.backend_health().at("b").healthy());

    ClientContext fourth;
    EfficiencyState efficiency;
    ASSERT_TRUE(client->GetEfficiency(&fourth, {}, &efficiency).ok());
    EXPECT_EQ(efficiency.mode(), "Balanced");
    EXPECT_EQ(efficiency.available_modes_size(), 6);
}

TEST(GrpcState, AModeThatIsSetIsTheOneThatIsShown) {
    Client client({support::good_backend()});
    SetEfficiencyRequest request;
    request.set_mode("ultra-efficiency");
    EfficiencyState state;
    ClientContext first;
    ASSERT_TRUE(client->SetEfficiency(&first, request, &state).ok());
    EXPECT_EQ(state.mode(), "UltraEfficiency");
    EXPECT_EQ(state.effective_mode(), "UltraEfficiency");
    EXPECT_FALSE(state.reason().empty());
    ClientContext second;
    ASSERT_TRUE(client->GetEfficiency(&second, {}, &state).ok());
    EXPECT_EQ(state.mode(), "UltraEfficiency");

    request.set_mode("Turbo");
    ClientContext third;
    const Status refused = client->SetEfficiency(&third, request, &state);
    EXPECT_EQ(refused.error_code(), StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(refused.error_message(), HasSubstr("Balanced"));
}

TEST(GrpcState, IsWatchedUntilTheClientHasEnough) {
    Client client({support::good_backend()});
    ClientContext context;
    auto reader = client->WatchState(&context, {});
    StateUpdate update;
    ASSERT_TRUE(reader->Read(&update));
    EXPECT_EQ(update.state().backends(0).id(), "a");
    client.chain()[0].set_healthy(false);
    client.chain()[0].stop();
    GenerateResponse ignored;
    EXPECT_FALSE(generate(client.stub(), prompt(), ignored).ok());
    while (update.state().backends(0).failures() == 0) ASSERT_TRUE(reader->Read(&update));
    context.TryCancel();
    while (reader->Read(&update)) {
    }
    EXPECT_EQ(reader->Finish().error_code(), StatusCode::CANCELLED);
}

TEST(GrpcState, TellsEachRoutingDecisionToWhoAsksForThem) {
    const auto answer = ndjson({R"({"response":"a"})", kOllamaEnd});
    Client client({answer, answer});
    ClientContext context;
    WatchStateRequest wanted;
    wanted.set_decisions(true);
    auto reader = client->WatchState(&context, wanted);
    ClientContext silent_context;
    auto silent = client->WatchState(&silent_context, {});
    StateUpdate update;
    ASSERT_TRUE(reader->Read(&update));
    ASSERT_TRUE(update.has_state()) << "the state comes first";
    const std::vector<std::string> targets{"b", "a", "b"};
    for (const std::string& target : targets) {
        GenerateRequest request = prompt();
        request.mutable_annotations()->set_target(target);
        GenerateResponse response;
        ASSERT_TRUE(generate(client.stub(), request, response).ok());
    }
    std::vector<std::string> told;
    while (told.size() < targets.size() && reader->Read(&update)) {
        if (!update.has_decision()) continue;
        const RoutingDecision& decision = update.decision();
        told.push_back(decision.backend());
        EXPECT_EQ(decision.reason(), "explicit-target");
        EXPECT_GT(decision.unix_ms(), 1'700'000'000'000);
    }
    EXPECT_EQ(told, targets);
    context.TryCancel();
    client.chain()[0].set_healthy(false);
    client.chain()[0].stop();
    GenerateResponse ignored;
    GenerateRequest request = prompt();
    request.mutable_annotations()->set_target("a");
    EXPECT_TRUE(generate(client.stub(), request, ignored).ok()) << "the other one answers";
    while (silent->Read(&update) && update.state().backends(0).failures() == 0) {
        EXPECT_FALSE(update.has_decision()) << "nobody asked for decisions here";
    }
    silent_context.TryCancel();
}

TEST(GrpcRouting, AnnotationsDecideWhereARequestGoes) {
    const std::string per_backend = "hardware: cpu";
    Client client(
        {ndjson({R"({"response":"a"})", kOllamaEnd}), ndjson({R"({"response":"b"})", kOllamaEnd})},
        speaking_grpc(per_backend));
    GenerateRequest request = prompt();
    request.mutable_annotations()->set_target("b");
    request.mutable_annotations()->set_request_id("my-own-id");
    GenerateResponse response;
    ClientContext context;
    ASSERT_TRUE(client->Generate(&context, request, &response).ok());
    EXPECT_EQ(response.response(), "b");
    EXPECT_EQ(response.routing().reason(), "explicit-target");
    const auto& metadata = context.GetServerInitialMetadata();
    const auto id = metadata.find("x-request-id");
    ASSERT_NE(id, metadata.end());
    EXPECT_EQ(std::string(id->second.data(), id->second.size()), "my-own-id");
    EXPECT_EQ(client.chain()[1].wait_for_requests(1).at(0).header("X-Request-ID"), "my-own-id");

    request.mutable_annotations()->set_target("cpu");
    ASSERT_TRUE(generate(client.stub(), request, response).ok());
    EXPECT_EQ(response.routing().reason(), "explicit-target") << "a word for its hardware";
}

TEST(GrpcRouting, TheClientsAuthorizationGoesOnlyWhereItIsConfigured) {
    const auto answer = ndjson({R"({"response":"x"})", kOllamaEnd});
    ScriptedBackend local(answer);
    ScriptedBackend passing(answer);
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("local", local.port()),
         support::backend_yaml("passing", passing.port(), "forward_authorization: true")},
        kGrpcOn));
    const auto stub = stub_for(daemon.grpc_port());
    for (const char* id : {"local", "passing"}) {
        support::wait_until_known(daemon, id);
        for (const std::string authorization : {"Bearer of-the-client", ""}) {
            ClientContext context;
            if (!authorization.empty()) context.AddMetadata("authorization", authorization);
            GenerateRequest request = prompt();
            request.mutable_annotations()->set_target(id);
            GenerateResponse response;
            const Status status = stub->Generate(&context, request, &response);
            ASSERT_TRUE(status.ok()) << id << ": " << status.error_message();
        }
    }
    const auto authorizations = [](const ScriptedBackend& backend) {
        std::vector<std::string> all;
        for (const auto& request : backend.requests()) {
            all.push_back(request.header("Authorization"));
        }
        return all;
    };
    EXPECT_THAT(authorizations(local), ElementsAre("", ""));
    EXPECT_THAT(authorizations(passing), ElementsAre("Bearer of-the-client", ""));
}

}  // namespace
}  // namespace ollama_proxy::grpc_tests
