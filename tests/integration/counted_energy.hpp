#pragma once

#include "integration/machine_folder.hpp"
#include "integration/relay_support.hpp"
#include "support/opened_below.hpp"

#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <string>

namespace ollama_proxy::support {

/// A processor whose energy is counted, a server on it that answers when the test says so, and
/// nothing that reads the machine by itself but for the energy of what runs.
class CountedEnergy : public testing::Test {
  protected:
    CountedEnergy() {
        daemon_.emplace(
            config_yaml({backend_yaml("cpu", backend_.port(),
                                      "hardware: cpu\ncharacteristics: {power_watts: 0.001}")},
                        "server: {grpc_port: 0}\n" + kQuiet +
                            tree_.settings("interval_ms: 3600000, idle_interval_ms: 3600000")));
        wait_until_known(*daemon_, "cpu");
    }
    ~CountedEnergy() override { answer(); }

    /// Runs `request` while its device draws 50 joules, and more before and after it.
    template <class Request>
    auto draws_fifty_joules(Request request) {
        EXPECT_TRUE(opened_.wait_for(counter()));  // the first look at the machine
        count(5000);                               // by whatever, while no request runs
        auto asked = std::async(std::launch::async, std::move(request));
        (void)backend_.wait_for_requests(1);
        EXPECT_TRUE(is_read());
        count(5050);
        EXPECT_TRUE(is_read());
        EXPECT_TRUE(is_read());  // it stands still: nothing is extrapolated
        answer();
        auto reply = asked.get();
        count(9000);
        return reply;
    }
    void answer() {
        if (!std::exchange(answered_, true)) go_.set_value();
    }

    static constexpr double kJoules = 50;
    static constexpr double kClose = 0.1;
    const MachineFolder tree_{test::intel_laptop()};
    OpenedBelow opened_{tree_.path()};
    std::promise<void> go_;
    bool answered_ = false;
    ScriptedBackend backend_{ScriptedBackend::answering(
        [go = go_.get_future().share()](Peer& peer, const RecordedRequest& request) {
            if (go.wait_for(std::chrono::minutes(1)) != std::future_status::ready) return;
            if (request.target == "/api/generate") {
                peer.reply(200,
                           "{\"response\":\"a\",\"done\":false}\n"
                           "{\"response\":\"\",\"done\":true,\"done_reason\":\"stop\","
                           "\"prompt_eval_count\":1,\"eval_count\":5}\n",
                           "application/x-ndjson");
                return;
            }
            peer.reply(200,
                       R"({"choices":[{"finish_reason":"stop","message":{"content":"x"}}],)"
                       R"("usage":{"prompt_tokens":1,"completion_tokens":5,"total_tokens":6}})");
        })};
    std::optional<TestDaemon> daemon_;

  private:
    static constexpr const char* kCounter = "class/powercap/intel-rapl:0/energy_uj";
    [[nodiscard]] std::filesystem::path counter() const { return tree_.path() / kCounter; }
    void count(int joules) const { tree_.set(kCounter, std::to_string(joules) + "000000"); }
    /// The counter was read twice: what it says now is taken into account.
    [[nodiscard]] bool is_read() {
        return opened_.wait_for(counter()) && opened_.wait_for(counter());
    }
};

}  // namespace ollama_proxy::support
