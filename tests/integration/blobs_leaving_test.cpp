// Uploads whose client leaves, and those whose backend is slow: the connection's watch reads beside
// them, and must not mix up what it reads.

#include "front_end.hpp"
#include "metric_growth.hpp"

#include <atomic>
#include <future>
#include <sys/socket.h>

namespace ollama_proxy::front_end {
namespace {

using support::Clock;
using support::Milliseconds;

constexpr Milliseconds kAtOnce{1000};  ///< 100 by contract; here also under sanitizers
constexpr const char* kBlob = "/api/blobs/sha256:aa";

std::string counted(std::size_t size) {
    std::string out;
    for (std::size_t i = 0; out.size() < size; ++i) out += std::to_string(i) + ",";
    return out;
}

/// Row 28.
TEST(LeavingBlobs, WhoLeavesWhileTheBackendThinksAboutAWholeBlobIsNoticed) {
    const std::string blob = counted(300000);
    for (const bool chunked : {false, true}) {
        SCOPED_TRACE(chunked);
        std::promise<support::TimePoint> closed;
        ScriptedBackend backend(
            ScriptedBackend::answering([&closed](Peer& peer, const RecordedRequest&) {
                (void)peer.wait_closed();
                closed.set_value(Clock::now());
                peer.close();
            }));
        const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
        daemon.wait_until_healthy("a");
        const support::Growth growth(daemon);
        RawClient client(daemon.port());
        if (chunked) {
            client.send("POST " + std::string(kBlob) +
                        " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
                        support::chunk_of(blob) + support::chunk_of({}));
        } else {
            client.send_request("POST", kBlob, blob);
        }
        const auto requests = backend.wait_for_requests(1);
        EXPECT_TRUE(requests[0].body == blob);
        const auto left = Clock::now();
        client.close();
        auto noticed = closed.get_future();
        ASSERT_EQ(noticed.wait_for(support::kPatience), std::future_status::ready);
        EXPECT_LT(noticed.get() - left, kAtOnce);
        EXPECT_TRUE(support::eventually([&] {
            return growth.of("ollama_proxy_http_requests_total",
                             {{"route", "/api/blobs/{name}"}, {"code", "499"}}) == 1;
        }));
        EXPECT_EQ(backend.request_count(), 1U);
        EXPECT_TRUE(backend.failures().empty());
    }
}

/// Sends until nothing more is taken: all buffers on the way are full. Returns how much went out.
std::size_t fill(RawClient& client, std::string_view bytes) {
    std::size_t sent = 0;
    for (int pauses = 0; pauses < 20 && sent < bytes.size();) {
        const auto n = ::send(client.socket().fd(), bytes.data() + sent, bytes.size() - sent,
                              MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            sent += static_cast<std::size_t>(n);
            pauses = 0;
        } else {
            EXPECT_TRUE(client.stays_silent(Milliseconds(10)));
            ++pauses;
        }
    }
    return sent;
}

std::string blob_head(std::size_t size) {
    return "POST " + std::string(kBlob) +
           " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
}

constexpr std::size_t kMoreThanBuffersHold = std::size_t{48} << 20;

TEST(LeavingBlobs, WhoLeavesWhileTheBackendTakesNothingIsNoticed) {
    std::promise<void> over;
    auto is_over = over.get_future().share();
    ScriptedBackend backend([is_over](Peer&) { is_over.wait_for(support::kPatience); });
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())},
                             "health: {interval_ms: 600000, idle_interval_ms: 600000}\n"));
    const support::Growth growth(daemon);
    RawClient client(daemon.port());
    client.send(blob_head(kMoreThanBuffersHold));
    const std::size_t sent = fill(client, counted(kMoreThanBuffersHold));
    EXPECT_LT(sent, kMoreThanBuffersHold) << "nothing is held";
    client.reset();
    EXPECT_TRUE(support::eventually([&] {
        return growth.of("ollama_proxy_http_requests_total",
                         {{"route", "/api/blobs/{name}"}, {"code", "499"}}) == 1;
    }));
    over.set_value();
}

TEST(LeavingBlobs, ABlobIsWholeWhereTheBackendWasSlow) {
    std::promise<void> full;
    auto is_full = full.get_future().share();
    ScriptedBackend backend([is_full](Peer& peer) {
        is_full.wait_for(support::kPatience);
        (void)peer.read_request();
        peer.reply(201, "");
        (void)peer.read_request();
    });
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())},
                             "health: {interval_ms: 600000, idle_interval_ms: 600000}\n"));
    const std::string blob = counted(kMoreThanBuffersHold);
    RawClient client(daemon.port());
    client.send(blob_head(blob.size()));
    const std::size_t sent = fill(client, blob);
    full.set_value();
    client.send(std::string_view(blob).substr(sent));
    client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(client.read_reply("POST").status, 201);
    EXPECT_EQ(client.read_reply().body, "alive\n") << "what is behind the blob is the next request";
    const auto requests = backend.wait_for_requests(1);
    EXPECT_TRUE(requests[0].body == blob);
}

}  // namespace
}  // namespace ollama_proxy::front_end
