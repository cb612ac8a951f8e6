// Beginnings and ends: of calls, of connections, of the library's server, of the daemon.

#include "grpc_client.hpp"
#include "integration/daemon_process.hpp"
#include "ollama_proxy/grpc/server.hpp"
#include "support/exposition.hpp"
#include "support/raw_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <grpcpp/generic/generic_stub.h>

#include <array>
#include <atomic>
#include <future>
#include <thread>

namespace ollama_proxy::grpc_tests {
namespace {

using front_end::DaemonProcess;
using support::Clock;
using support::eventually;
using support::Milliseconds;
using support::TimePoint;

/// Streams pieces without end and notes when the proxy closes the connection.
struct EndlessBackend {
    std::shared_ptr<std::promise<TimePoint>> closed = std::make_shared<std::promise<TimePoint>>();

    [[nodiscard]] ScriptedBackend::Script script() const {
        return ScriptedBackend::answering([at = closed](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked("application/x-ndjson");
            peer.chunk("{\"response\":\"x\"}\n");
            (void)peer.wait_closed();
            at->set_value(Clock::now());
        });
    }
};

/// Neither a slot nor a place in the queue is taken any more.
bool all_free(Client& client) {
    return eventually([&] {
        return client.chain().count("a", "in_flight") == 0 &&
               client.chain().count("a", "queue_depth") == 0;
    });
}

TEST(GrpcCancel, InTheMiddleOfAStreamClosesTheBackendWithin100Ms) {
    const EndlessBackend backend;
    Client client({backend.script()});
    ClientContext context;
    auto reader = client->GenerateStream(&context, prompt());
    GenerateStreamResponse piece;
    ASSERT_TRUE(reader->Read(&piece));
    EXPECT_EQ(client.chain().count("a", "in_flight"), 1);
    const auto before = Clock::now();
    context.TryCancel();
    EXPECT_LT(backend.closed->get_future().get() - before, Milliseconds(100));
    EXPECT_EQ(reader->Finish().error_code(), StatusCode::CANCELLED);
    EXPECT_TRUE(all_free(client));
    EXPECT_EQ(client.chain().count("a", "failures"), 0) << "no strike for the backend";
}

TEST(GrpcCancel, OfAUnaryCallStopsTheBackendToo) {
    const EndlessBackend backend;
    Client client({backend.script()});
    ClientContext context;
    auto ended = std::async(std::launch::async, [&] {
        GenerateResponse response;
        return client->Generate(&context, prompt(), &response);
    });
    client.chain()[0].wait_for_requests(1);
    context.TryCancel();
    EXPECT_EQ(ended.get().error_code(), StatusCode::CANCELLED);
    (void)backend.closed->get_future().get();
    EXPECT_TRUE(all_free(client));
}

TEST(GrpcCancel, TheDeadlineReachesTheBackend) {
    const EndlessBackend backend;
    Client client({backend.script()});
    ClientContext context;
    const auto before = Clock::now();
    context.set_deadline(std::chrono::system_clock::now() + Milliseconds(150));
    auto reader = client->GenerateStream(&context, prompt());
    for (GenerateStreamResponse piece; reader->Read(&piece);) {
    }
    EXPECT_EQ(reader->Finish().error_code(), StatusCode::DEADLINE_EXCEEDED);
    const auto closed = backend.closed->get_future().get() - before;
    EXPECT_GE(closed, Milliseconds(140));
    EXPECT_LT(closed, Milliseconds(1000));
    EXPECT_TRUE(all_free(client));
}

TEST(GrpcCancel, AClientThatVanishesFreesItsSlot) {
    const EndlessBackend backend;
    support::Chain chain({backend.script()}, speaking_grpc());
    {
        const auto stub = stub_for(chain.daemon().grpc_port());
        ClientContext context;
        auto reader = stub->GenerateStream(&context, prompt());
        GenerateStreamResponse piece;
        ASSERT_TRUE(reader->Read(&piece));
    }
    (void)backend.closed->get_future().get();
    EXPECT_TRUE(eventually([&] { return chain.count("a", "in_flight") == 0; }));
}

TEST(GrpcFlow, ASlowReaderIsWaitedForAndThenGivenUp) {
    const std::string piece = "{\"response\":\"" + std::string(32000, 'x') + "\"}\n";
    std::atomic<std::size_t> sent{0};
    support::Chain chain(
        {ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked("application/x-ndjson");
            for (;;) {
                peer.chunk(piece);
                sent += piece.size();
            }
        })},
        {"server: { grpc_port: 0, limits: { write_stall_ms: 300 } }\n" + support::kQuiet, "", {}});
    const auto stub = stub_for(chain.daemon().grpc_port());
    ClientContext context;
    auto slow = stub->GenerateStream(&context, prompt());
    GenerateStreamResponse message;
    ASSERT_TRUE(slow->Read(&message));
    // it takes nothing more: the backend is not drained meanwhile, and then the call ends
    EXPECT_TRUE(eventually([&] { return chain.count("a", "in_flight") == 0; }));
    EXPECT_LT(sent.load(), std::size_t{16} << 20);
    EXPECT_EQ(chain.count("a", "failures"), 0);
    while (slow->Read(&message)) {
    }
    EXPECT_FALSE(slow->Finish().ok());
}

TEST(GrpcFlow, AWholeAnswerThatNobodyTakesIsGivenUpToo) {
    std::vector<std::string> lines(64, "{\"response\":\"" + std::string(32000, 'x') + "\"}");
    lines.push_back(kOllamaEnd);
    support::Chain chain(
        {ndjson(std::move(lines))},
        {"server: { grpc_port: 0, limits: { write_stall_ms: 300 } }\n" + support::kQuiet, "", {}});
    const auto page = [&] {
        return support::Exposition(support::http_get(chain.port(), "/metrics").body);
    };
    const support::Exposition before = page();
    const std::string method = "/ollama_proxy.OllamaProxy/Generate";
    const auto ended = [&](support::Exposition::Labels labels) {
        const std::string calls = "ollama_proxy_grpc_calls_total";
        labels["method"] = method;
        return page().sum(calls, labels) - before.sum(calls, labels);
    };
    ::grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // its window stays what it is
    ::grpc::GenericStub stub(connect(chain.daemon().grpc_port(), arguments));
    ClientContext context;
    ::grpc::CompletionQueue queue;
    void* tag = nullptr;
    bool ok = false;
    auto call = stub.PrepareCall(&context, method, &queue);
    call->StartCall(nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
    const ::grpc::Slice request(prompt().SerializeAsString());
    call->WriteLast(::grpc::ByteBuffer(&request, 1), {}, nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
    EXPECT_TRUE(eventually([&] { return ended({}) == 1; }));
    EXPECT_EQ(ended({{"code", "CANCELLED"}}), 1);
    context.TryCancel();
    Status status;
    call->Finish(&status, nullptr);
    EXPECT_TRUE(queue.Next(&tag, &ok));
    EXPECT_FALSE(status.ok());
    queue.Shutdown();
    while (queue.Next(&tag, &ok)) {
    }
}

TEST(GrpcFlow, ManyStreamsAtOnceEachGetTheirOwn) {
    constexpr int kStreams = 100;
    Client client({ScriptedBackend::answering([](Peer& peer, const RecordedRequest& request) {
                      const auto body = nlohmann::json::parse(request.body);
                      const std::string own = body.at("prompt");
                      peer.begin_chunked("application/x-ndjson");
                      for (int i = 0; i < 5; ++i) {
                          peer.chunk("{\"response\":\"" + own + " \"}\n");
                      }
                      peer.chunk(kOllamaEnd + "\n");
                      peer.end_chunked();
                  })},
                  speaking_grpc("max_concurrency: 100"));
    std::vector<std::future<std::string>> answers;
    for (int i = 0; i < kStreams; ++i) {
        answers.push_back(std::async(std::launch::async, [&client, i] {
            ClientContext context;
            auto reader = client->GenerateStream(&context, prompt("p" + std::to_string(i)));
            std::string text;
            for (GenerateStreamResponse piece; reader->Read(&piece);) text += piece.token();
            const Status status = reader->Finish();
            return status.ok() ? text : status.error_message();
        }));
    }
    for (int i = 0; i < kStreams; ++i) {
        const std::string own = "p" + std::to_string(i) + " ";
        EXPECT_EQ(answers[static_cast<std::size_t>(i)].get(), own + own + own + own + own);
    }
    EXPECT_TRUE(all_free(client));
}

TEST(GrpcStop, AnIdleConnectionDoesNotHoldTheDaemonUp) {
    Client client({support::good_backend()});
    ClientContext context;
    ListModelsResponse response;
    ASSERT_TRUE(client->ListModels(&context, {}, &response).ok());
    const auto before = Clock::now();
    client.daemon().stop(Milliseconds(5000));
    EXPECT_LT(Clock::now() - before, Milliseconds(1000));
}

TEST(GrpcStop, WatchersAreSentAwayAtOnce) {
    Client client({support::good_backend()});
    ClientContext context;
    auto reader = client->WatchState(&context, {});
    StateUpdate update;
    ASSERT_TRUE(reader->Read(&update));
    const auto before = Clock::now();
    client.daemon().stop(Milliseconds(5000));
    EXPECT_LT(Clock::now() - before, Milliseconds(1000));
    while (reader->Read(&update)) {
    }
    EXPECT_EQ(reader->Finish().error_code(), StatusCode::UNAVAILABLE);
}

TEST(GrpcStop, WatchersAreSentAwayAtOnceThoughStreamsGoOn) {
    Client client({ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked("application/x-ndjson");
        peer.chunk("{\"response\":\"x\"}\n");
        (void)peer.wait_closed(3 * support::kPatience);
    })});
    // calls go to the workers in turn: each of the two gets one of both kinds
    std::array<ClientContext, 2> stream_contexts;
    std::vector<std::unique_ptr<::grpc::ClientReader<GenerateStreamResponse>>> streams;
    for (ClientContext& context : stream_contexts) {
        streams.push_back(client->GenerateStream(&context, prompt()));
        GenerateStreamResponse piece;
        ASSERT_TRUE(streams.back()->Read(&piece));
    }
    std::array<ClientContext, 2> watch_contexts;
    std::vector<std::unique_ptr<::grpc::ClientReader<StateUpdate>>> watchers;
    StateUpdate update;
    for (ClientContext& context : watch_contexts) {
        watchers.push_back(client->WatchState(&context, {}));
        ASSERT_TRUE(watchers.back()->Read(&update));
    }
    auto stopped =
        std::async(std::launch::async, [&] { client.daemon().stop(support::kPatience); });
    for (std::size_t i = 0; i < watchers.size(); ++i) {
        while (watchers[i]->Read(&update)) {
        }
        EXPECT_EQ(watchers[i]->Finish().error_code(), StatusCode::UNAVAILABLE);
        EXPECT_EQ(trailer(watch_contexts[i], "retry-after"), "1");
    }
    for (std::size_t i = 0; i < streams.size(); ++i) {
        stream_contexts[i].TryCancel();
        EXPECT_EQ(streams[i]->Finish().error_code(), StatusCode::CANCELLED) << "it was cut";
    }
    stopped.get();
}

/// Row 35: streams get the grace, then a status that says why.
TEST(GrpcStop, AStreamGetsTheGraceAndThenAStatus) {
    const EndlessBackend backend;
    Client client({backend.script()});
    ClientContext context;
    auto reader = client->GenerateStream(&context, prompt());
    GenerateStreamResponse piece;
    ASSERT_TRUE(reader->Read(&piece));
    const auto before = Clock::now();
    client.daemon().stop(Milliseconds(200));
    EXPECT_GE(Clock::now() - before, Milliseconds(190));
    EXPECT_FALSE(reader->Read(&piece));
    const Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE) << status.error_message();
    EXPECT_EQ(status.error_message(), "the proxy is shutting down");
}

TEST(GrpcStop, AStreamThatEndsWithinTheGraceEndsWell) {
    std::promise<void> go_on;
    auto may_end = go_on.get_future().share();
    Client client({ScriptedBackend::answering([may_end](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked("application/x-ndjson");
        peer.chunk("{\"response\":\"x\"}\n");
        may_end.wait();
        peer.chunk(kOllamaEnd + "\n");
        peer.end_chunked();
    })});
    ClientContext context;
    auto reader = client->GenerateStream(&context, prompt());
    GenerateStreamResponse piece;
    ASSERT_TRUE(reader->Read(&piece));
    auto stopped =
        std::async(std::launch::async, [&] { client.daemon().stop(2 * support::kPatience); });
    // new calls are refused while the old one goes on
    EXPECT_TRUE(eventually([&] {
        ClientContext another;
        ListModelsResponse response;
        return client->ListModels(&another, {}, &response).error_code() == StatusCode::UNAVAILABLE;
    }));
    go_on.set_value();
    ASSERT_TRUE(reader->Read(&piece));
    EXPECT_TRUE(piece.done());
    EXPECT_TRUE(reader->Finish().ok());
    stopped.get();
}

/// A server of our own, so that its minute is a moment.
TEST(GrpcSleep, TheLibraryIsThereOnlyWhileThereAreConnections) {
    auto config = std::make_shared<config::Config>();
    config->server.grpc_port = 0;
    config->discover_local = false;
    config->state_dir = support::TempDir().path();
    boost::asio::io_context control{1};
    auto guard = boost::asio::make_work_guard(control);
    runtime::WorkerPool workers(1);
    router::Router router(control, config);
    efficiency::Controller controller(control, config, [](auto) {});
    grpc_api::Server server(control, workers, router, controller,
                            std::make_shared<access::ClientLimits>(config->server), config,
                            Milliseconds(50));
    ASSERT_FALSE(server.listen());
    workers.start();
    std::thread thread([&] { control.run(); });
    boost::asio::post(control, [&] { server.start(); });
    const std::uint16_t port = server.endpoints().front().port();

    EXPECT_FALSE(server.is_awake());
    for (int i = 0; i < 3; ++i) {
        {
            const auto stub = stub_for(port);
            ClientContext context;
            ListModelsResponse response;
            EXPECT_TRUE(stub->ListModels(&context, {}, &response).ok());
            EXPECT_TRUE(server.is_awake());
        }
        EXPECT_TRUE(eventually([&] { return !server.is_awake(); })) << "round " << i;
    }
    boost::asio::co_spawn(control, server.stop(Milliseconds(0)), boost::asio::use_future).get();
    std::promise<void> quiet;
    boost::asio::post(control, [&] {
        controller.stop();
        quiet.set_value();
    });
    quiet.get_future().get();
    workers.stop();
    guard.reset();
    thread.join();
}

#if !defined(__has_feature)
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr std::string_view kProcess =
    "server: { grpc_port: 0, workers: 2, shutdown_grace_ms: 300 }\n"
    "logging: { access_log: false }\n"
    "monitors: { enabled: false }\n"
    "dbus: { enabled: false }\n"
    "health: { interval_ms: 100, idle_interval_ms: 100 }\n";

/// Row 33.
TEST(GrpcProcess, BothPortsAnswerAgainAfterDescriptorsRanOut) {
    if (kSanitized) {
        GTEST_SKIP() << "the sanitizer's check of vtables opens a pipe, and takes its failure for "
                        "a broken object";
    }
    ScriptedBackend backend(ndjson({R"({"response":"x"})", kOllamaEnd}));
    const DaemonProcess daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())}, kProcess), std::nullopt,
        72);
    const auto ask = [&] {
        const auto stub = stub_for(daemon.grpc_port());
        ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + Milliseconds(2000));
        ListModelsResponse response;
        return stub->ListModels(&context, {}, &response).ok();
    };
    ASSERT_TRUE(eventually(ask));
    const auto exhaust = [&](std::uint16_t port) {
        std::vector<std::unique_ptr<support::RawClient>> idle;
        for (int i = 0; i < 120; ++i) idle.push_back(std::make_unique<support::RawClient>(port));
        return idle;
    };
    for (const std::uint16_t port : {daemon.port(), daemon.grpc_port()}) {
        auto idle = exhaust(port);
        EXPECT_TRUE(eventually([&] { return !ask(); })) << "descriptors did not run out";
        idle.clear();
        EXPECT_TRUE(eventually(ask)) << "gRPC stays deaf";
        EXPECT_TRUE(eventually([&] {
            return support::http_get(daemon.port(), "/healthz").status == 200;
        })) << "HTTP stays deaf";
    }
}

/// Nothing of the library is there yet, and it would end the process if it got no descriptor.
TEST(GrpcProcess, TheFirstConnectionMayComeWhenDescriptorsAreScarce) {
    if (kSanitized) {
        GTEST_SKIP() << "the sanitizer's check of vtables opens a pipe, and takes its failure for "
                        "a broken object";
    }
    const DaemonProcess daemon(support::config_yaml({}, kProcess), std::nullopt, 48);
    std::vector<std::unique_ptr<support::RawClient>> idle;
    for (int i = 0; i < 60; ++i) {
        idle.push_back(std::make_unique<support::RawClient>(daemon.port()));
        (void)idle.back()->get("/healthz");
    }
    const auto ask = [&] {
        const auto stub = stub_for(daemon.grpc_port());
        ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + Milliseconds(2000));
        ListModelsResponse response;
        return stub->ListModels(&context, {}, &response).error_code();
    };
    EXPECT_EQ(ask(), StatusCode::UNAVAILABLE);
    idle.clear();
    EXPECT_TRUE(eventually([&] { return ask() == StatusCode::OK; }));
}

TEST(GrpcProcess, APortInUseEndsTheStartWithASentence) {
    const support::Socket taken = support::Socket::listen(1);
    const std::string port = std::to_string(taken.local_port());
    DaemonProcess daemon(support::config_yaml({}, "server: { grpc_port: " + port +
                                                      " }\nmonitors: { enabled: "
                                                      "false }\ndbus: { enabled: false }\n"),
                         0);
    EXPECT_EQ(daemon.wait_exit(), 1);
    const std::string errors = daemon.errors();
    EXPECT_NE(errors.find("port " + port + " is in use"), std::string::npos) << errors;
    EXPECT_NE(errors.find("--grpc-port"), std::string::npos) << errors;
}

TEST(GrpcProcess, SigtermEndsIdleConnectionsAndExitsWith0) {
    DaemonProcess daemon(support::config_yaml({}, kProcess));
    const auto stub = stub_for(daemon.grpc_port());
    ClientContext context;
    ListModelsResponse response;
    ASSERT_TRUE(stub->ListModels(&context, {}, &response).ok());
    const auto before = Clock::now();
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.wait_exit(), 0);
    EXPECT_LT(Clock::now() - before, Milliseconds(1000)) << "the grace was waited for";
}

}  // namespace
}  // namespace ollama_proxy::grpc_tests
