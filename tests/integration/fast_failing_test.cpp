// A backend that fails fast looks idle and quick, and must not attract traffic for that.
#include "integration/relay_support.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace ollama_proxy {
namespace {

using support::Chain;
using support::chat_body;
using support::Peer;
using support::RecordedRequest;
using support::ScriptedBackend;

constexpr int kRequests = 400;
constexpr int kClients = 4;

ScriptedBackend::Script failing_at_once(int status) {
    return ScriptedBackend::answering([status](Peer& peer, const RecordedRequest&) {
        peer.reply(status, R"({"error":{"message":"out of memory"}})");
    });
}

/// How many of the requests that were answered well asked the first of three backends.
std::size_t asked_of_the_first(ScriptedBackend::Script first, const std::string& sections) {
    Chain::Extra extra;
    extra.sections = sections;
    Chain chain({std::move(first), support::good_backend(), support::good_backend()}, extra);
    std::vector<std::thread> clients;
    std::atomic<int> good{0};
    for (int i = 0; i < kClients; ++i) {
        clients.emplace_back([&] {
            for (int n = 0; n < kRequests / kClients; ++n) {
                good += chain.post(chat_body()).status == 200 ? 1 : 0;
            }
        });
    }
    for (std::thread& client : clients) client.join();
    EXPECT_EQ(good, kRequests) << "another backend serves what it fails";
    return chain[0].request_count();
}

constexpr std::size_t kFivePercent = kRequests / 20;

TEST(FastFailing, GetsUnderFivePercentOfTheTraffic) {
    EXPECT_LT(asked_of_the_first(failing_at_once(500), ""), kFivePercent);
}

TEST(FastFailing, ItsErrorsWeighAlsoWhereNoBreakerOpens) {
    const std::size_t asked = asked_of_the_first(failing_at_once(503), support::kQuiet);
    EXPECT_GT(asked, 0U) << "it was the first choice";
    EXPECT_LT(asked, kFivePercent);
}

TEST(FastFailing, AnErrorInA200IsAFailureToo) {
    const auto in_band = ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked("text/event-stream");
        peer.chunk("data: {\"error\":{\"message\":\"out of memory\"}}\n\n");
        peer.end_chunked();
    });
    EXPECT_LT(asked_of_the_first(in_band, support::kQuiet), kFivePercent);
}

TEST(FastFailing, WithoutFailuresItWouldHaveHadItsShare) {
    EXPECT_GT(asked_of_the_first(support::good_backend(), support::kQuiet), kFivePercent);
}

}  // namespace
}  // namespace ollama_proxy
