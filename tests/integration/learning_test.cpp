// What is measured replaces what is configured, survives a restart and a kill, and never comes from
// a file that was damaged.

#include "integration/daemon_process.hpp"
#include "integration/relay_support.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ollama_proxy {
namespace {

using front_end::DaemonProcess;
using nlohmann::json;
using support::Chain;
using support::chat_body;
using support::http_get;
using support::http_post;
using support::kChat;
using support::ScriptedBackend;
using support::TempDir;
using support::TestDaemon;
using ::testing::AllOf;
using ::testing::HasSubstr;

ScriptedBackend::Script quick_stream() {
    return support::streaming("text/event-stream", {support::delta("one") + support::delta("two"),
                                                    support::kFinish + support::kDone});
}

json backend_of(std::uint16_t port, std::string_view id) {
    const auto listed = json::parse(http_get(port, "/backends").body);
    for (const auto& one : listed.at("backends")) {
        if (one.at("id") == id) return one;
    }
    return nullptr;
}

double latency_of(std::uint16_t port, std::string_view id = "a") {
    return backend_of(port, id).at("avg_latency_ms").get<double>();
}

constexpr std::string_view kSlow = "hardware: cpu\ncharacteristics: {avg_latency_ms: 2000}";

TEST(Learning, TheEstimateConvergesToWhatIsMeasured) {
    Chain::Extra extra;
    extra.per_backend = kSlow;
    Chain chain({quick_stream()}, extra);
    EXPECT_EQ(latency_of(chain.port()), 2000);
    EXPECT_TRUE(backend_of(chain.port(), "a")["ttft_ms"].is_null());
    double last = 2001;
    for (int i = 0; i < 60; ++i) {
        const auto reply = chain.post(chat_body(true));
        EXPECT_EQ(reply.status, 200);
        if (i % 20 == 0) {
            const double estimate = std::stod(reply.header("X-Estimated-Latency-Ms"));
            EXPECT_LT(estimate, last);
            last = estimate;
        }
    }
    EXPECT_TRUE(support::eventually([&] { return latency_of(chain.port()) < 400; }));
    EXPECT_LT(backend_of(chain.port(), "a")["ttft_ms"].get<double>(), 1000);
}

TEST(Learning, ProbesAndFullRepliesDoNotChangeTheEstimate) {
    Chain::Extra extra;
    extra.per_backend = kSlow;
    extra.sections = "health: {interval_ms: 100, idle_interval_ms: 100}";
    Chain chain({support::good_backend()}, extra);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(chain.post(chat_body()).status, 200);
    const std::size_t probes = chain[0].probe_count();
    EXPECT_TRUE(support::eventually([&] { return chain[0].probe_count() > probes + 5; }));
    EXPECT_EQ(latency_of(chain.port()), 2000);
}

TEST(Learning, AFullReplyTellsTheSpeed) {
    Chain chain({ScriptedBackend::answering_json(
        R"({"model":"m","message":{"content":"x"},"done":true,"load_duration":1000000,
            "eval_count":50,"eval_duration":500000000})")});
    EXPECT_TRUE(backend_of(chain.port(), "a")["tokens_per_second"].is_null());
    EXPECT_EQ(chain.post(chat_body(), {}, support::kOllamaChat).status, 200);
    EXPECT_NEAR(backend_of(chain.port(), "a")["tokens_per_second"].get<double>(), 100, 0.1);
}

TEST(Learning, AConfiguredSpeedIsShownUntilItIsMeasured) {
    Chain::Extra extra;
    extra.per_backend = "characteristics: {max_tokens_per_second: 10}";
    for (const char* learns : {"true", "false"}) {
        SCOPED_TRACE(learns);
        extra.sections = support::kQuiet + "router: {auto_optimize: " + std::string(learns) + "}\n";
        const Chain chain({support::good_backend()}, extra);
        EXPECT_EQ(backend_of(chain.port(), "a")["tokens_per_second"], 10);
    }
}

TEST(Learning, OffMeansThatNothingIsLearned) {
    Chain::Extra extra;
    extra.per_backend = kSlow;
    extra.sections = support::kQuiet + "router: {auto_optimize: false}\n";
    Chain chain({quick_stream()}, extra);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(chain.post(chat_body(true)).status, 200);
    EXPECT_EQ(latency_of(chain.port()), 2000);
    EXPECT_TRUE(backend_of(chain.port(), "a")["ttft_ms"].is_null());
}

/// The daemon as a process of its own, with its state in a folder that outlives it.
class Lasting {
  public:
    explicit Lasting(ScriptedBackend::Script script = quick_stream())
        : backend_(std::move(script), model_in_memory()) {}

    [[nodiscard]] std::string yaml(std::string_view more = "") const {
        return support::config_yaml({support::backend_yaml("a", backend_.port(), kSlow)},
                                    support::kQuiet + "server: {grpc_port: null}\n" +
                                        std::string(more) + "state_dir: " + state_.path().string() +
                                        "\n");
    }
    [[nodiscard]] std::filesystem::path file() const { return state_.path() / "learned.json"; }
    [[nodiscard]] std::string text() const {
        std::ifstream in(file());
        return (std::ostringstream() << in.rdbuf()).str();
    }
    void ask(const DaemonProcess& daemon, int times) const {
        for (int i = 0; i < times; ++i) {
            EXPECT_EQ(http_post(daemon.port(), kChat, chat_body(true)).status, 200);
        }
    }

  private:
    static ScriptedBackend::Options model_in_memory() {
        ScriptedBackend::Options options;
        options.loaded_models = options.models;
        return options;
    }

    TempDir state_;
    ScriptedBackend backend_;
};

TEST(Learning, SurvivesARestart) {
    const Lasting lasting;
    double learned = 0;
    {
        DaemonProcess daemon(lasting.yaml());
        lasting.ask(daemon, 30);
        learned = latency_of(daemon.port());
        EXPECT_LT(learned, 1000);
        daemon.signal(SIGTERM);
        EXPECT_EQ(daemon.wait_exit(), 0);
    }
    DaemonProcess again(lasting.yaml());
    EXPECT_NEAR(latency_of(again.port()), learned, learned * 0.2);
    EXPECT_FALSE(std::filesystem::exists(lasting.file().string() + ".corrupt"));
}

TEST(Learning, TheEnergyOfATokenSurvivesARestart) {
    std::string tokens;
    for (int i = 0; i < 6; ++i) tokens += support::delta("x");
    const Lasting lasting(support::streaming(
        "text/event-stream", {tokens + support::kFinish, std::string(support::kDone)}));
    double learned = 0;
    {
        DaemonProcess daemon(lasting.yaml());
        EXPECT_TRUE(backend_of(daemon.port(), "a").at("joules_per_token").is_null());
        ASSERT_TRUE(support::eventually([&] {
            lasting.ask(daemon, 1);
            return lasting.text().find("joules_per_token") != std::string::npos;
        })) << "learned once the catalog says that the model is loaded";
        lasting.ask(daemon, 5);
        learned = backend_of(daemon.port(), "a").at("joules_per_token").get<double>();
        EXPECT_GT(learned, 0);
        daemon.signal(SIGTERM);
        EXPECT_EQ(daemon.wait_exit(), 0);
    }
    DaemonProcess again(lasting.yaml());
    EXPECT_NEAR(backend_of(again.port(), "a").at("joules_per_token").get<double>(), learned,
                learned * 0.01);
}

TEST(Learning, AnotherEndpointBeginsAnew) {
    const Lasting lasting;
    {
        DaemonProcess daemon(lasting.yaml());
        lasting.ask(daemon, 30);
        daemon.signal(SIGTERM);
        EXPECT_EQ(daemon.wait_exit(), 0);
    }
    const Lasting moved;  // the same id on another port
    std::filesystem::create_directories(moved.file().parent_path());
    std::filesystem::copy_file(lasting.file(), moved.file());
    DaemonProcess again(moved.yaml());
    EXPECT_EQ(latency_of(again.port()), 2000);
}

TEST(Learning, AKilledDaemonLeavesAFileThatCanBeRead) {
    const Lasting lasting;
    {
        DaemonProcess daemon(lasting.yaml());
        lasting.ask(daemon, 20);
        ASSERT_TRUE(support::eventually([&] { return !lasting.text().empty(); }));
        lasting.ask(daemon, 5);
        daemon.signal(SIGKILL);
        EXPECT_EQ(daemon.wait_exit(), 128 + SIGKILL);
    }
    EXPECT_TRUE(json::accept(lasting.text()));
    DaemonProcess again(lasting.yaml());
    EXPECT_LT(latency_of(again.port()), 1900);
    lasting.ask(again, 1);
}

TEST(Learning, ADamagedFileIsSetAsideWithALineInTheLog) {
    const Lasting lasting;
    std::ofstream(lasting.file()) << R"({"version":1,"backends":{"a":{"endp)";
    DaemonProcess daemon(lasting.yaml());
    EXPECT_EQ(latency_of(daemon.port()), 2000);
    lasting.ask(daemon, 3);
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.wait_exit(), 0);
    EXPECT_THAT(daemon.errors(), HasSubstr("learned.json.corrupt"));
    EXPECT_TRUE(std::filesystem::exists(lasting.file().string() + ".corrupt"));
    EXPECT_TRUE(json::accept(lasting.text())) << "and a good one is written again";
}

TEST(Learning, AFolderThatCannotBeWrittenToIsSaidAndHarmsNoRequest) {
    const TempDir folder;
    const auto file = folder.write("occupied", "a file, not a folder");
    ScriptedBackend backend(quick_stream());
    DaemonProcess daemon(support::config_yaml(
        {support::backend_yaml("a", backend.port(), kSlow)},
        support::kQuiet + "server: {grpc_port: null}\n" + "state_dir: " + file.string() + "\n"));
    EXPECT_EQ(http_post(daemon.port(), kChat, chat_body(true)).status, 200);
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.wait_exit(), 0);
    EXPECT_THAT(daemon.errors(), AllOf(HasSubstr("will be lost at the end"),
                                       HasSubstr("what was learned is not kept")));
}

}  // namespace
}  // namespace ollama_proxy
