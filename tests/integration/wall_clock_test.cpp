// The wall clock jumps by years, both ways, while requests run: nothing happens. libfaketime tells
// the daemon another time of day and leaves the steady clock alone.

#include "daemon_process.hpp"
#include "relay_support.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <sstream>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

namespace ollama_proxy::support {
namespace {

using nlohmann::json;

std::string libfaketime() {
    for (const char* top : {"/usr/lib", "/usr/lib64", "/usr/local/lib"}) {
        std::error_code none;
        for (const auto& entry : std::filesystem::directory_iterator(top, none)) {
            for (const auto& folder : {entry.path() / "faketime", entry.path()}) {
                const auto library = folder / "libfaketimeMT.so.1";
                if (std::filesystem::exists(library)) return library.string();
            }
        }
    }
    return {};
}

/// The year of the last line of the mode's history, as the daemon's clock had it.
int year_of_last_change(std::uint16_t port) {
    const json history = json::parse(http_get(port, "/efficiency/history").body)["history"];
    const std::string time = history.back()["time"];
    return std::stoi(time.substr(0, 4));
}

TEST(WallClock, MayJumpByYearsWithoutAnybodyNoticing) {
    const std::string library = libfaketime();
    if (library.empty()) GTEST_SKIP() << "no libfaketime (package faketime)";
    if (kSanitized) GTEST_SKIP() << "the sanitizer's runtime must be loaded first";

    const TempDir folder;
    const auto time_is = [&](const std::string& offset) { (void)folder.write("time", offset); };
    time_is("+0");
    std::promise<void> go_on;
    ScriptedBackend backend(ScriptedBackend::answering(
        [hold = go_on.get_future().share()](Peer& peer, const RecordedRequest& request) {
            if (request.body.find("\"stream\":true") == std::string::npos) {
                peer.reply(200, kAnswer);
                return;
            }
            peer.begin_chunked();
            peer.chunk(delta("before"));
            if (hold.wait_for(std::chrono::minutes(1)) != std::future_status::ready) return;
            for (const std::string& piece : {delta("after"), kFinish, kDone}) peer.chunk(piece);
            peer.end_chunked();
        }));
    front_end::FromManager manager;
    manager.environment = {"LD_PRELOAD=" + library,
                           "FAKETIME_TIMESTAMP_FILE=" + (folder.path() / "time").string(),
                           "FAKETIME_NO_CACHE=1",
                           "FAKETIME_DONT_FAKE_MONOTONIC=1",
                           "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent",
                           "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent"};
    const front_end::DaemonProcess daemon(
        "server: {grpc_port: null}\nhealth: {interval_ms: 100, idle_interval_ms: 100}\n" +
            config_yaml({backend_yaml("a", backend.port(), "max_concurrency: 4")}),
        std::nullopt, 0, manager);
    const auto shown = [&] {
        return json::parse(http_get(daemon.port(), "/backends").body)["backends"][0];
    };
    ASSERT_TRUE(eventually([&] { return !shown()["models"].empty(); }));

    RawClient client(daemon.port());
    ASSERT_TRUE(client.send_request("POST", kChat, chat_body(true)));
    HttpReply stream = client.begin_reply("POST");
    ASSERT_TRUE(client.read_until(stream, "before"));
    int year = 0;
    for (const auto& [offset, mode] : {std::pair{"+3650d", R"({"mode":"Quiet"})"},
                                       {"-3650d", R"({"mode":"Performance"})"},
                                       {"+0", R"({"mode":"Quiet"})"}}) {
        time_is(offset);
        // it does see the other time
        (void)http_post(daemon.port(), "/efficiency", mode);
        const int now = year_of_last_change(daemon.port());
        EXPECT_NE(now, year);
        year = now;
        for (int i = 0; i < 5; ++i) {
            const HttpReply reply = http_post(daemon.port(), kChat, chat_body());
            EXPECT_EQ(reply.status, 200) << offset << reply.body;
        }
        const std::size_t probes = backend.probe_count();  // and they go on
        EXPECT_TRUE(eventually([&] { return backend.probe_count() > probes + 2; })) << offset;
    }
    go_on.set_value();
    while (client.read_piece(stream)) {
    }
    EXPECT_TRUE(stream.clean_end);
    EXPECT_EQ(stream.body, delta("before") + delta("after") + kFinish + kDone);
    const json backend_now = shown();
    EXPECT_EQ(backend_now["failures"], 0);
    EXPECT_EQ(backend_now["healthy"], true);
    EXPECT_LT(backend_now["avg_latency_ms"].get<double>(), 60'000);
}

}  // namespace
}  // namespace ollama_proxy::support
