// Where the daemon keeps its state when the configuration does not say.

#include "integration/daemon_process.hpp"
#include "integration/relay_support.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <sstream>

namespace ollama_proxy {
namespace {

using front_end::DaemonProcess;
using support::ScriptedBackend;

TEST(StatePlace, WhatIsLearnedGoesToTheFolderOfTheEnvironment) {
    const ScriptedBackend backend(support::streaming(
        "text/event-stream", {support::delta("one"), support::kFinish + support::kDone}));
    DaemonProcess daemon(support::config_yaml({support::backend_yaml("a", backend.port())},
                                              support::kQuiet + "server: {grpc_port: null}\n"
                                                                "monitors: {enabled: false}\n"
                                                                "dbus: {enabled: false}\n"));
    // this is the $XDG_STATE_HOME that the process got
    const std::filesystem::path file =
        daemon.config_file().parent_path() / "ollama-proxy" / "learned.json";
    EXPECT_FALSE(std::filesystem::exists(file));
    EXPECT_EQ(support::http_post(daemon.port(), support::kChat, support::chat_body(true)).status,
              200);
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.wait_exit(), 0);
    std::ifstream in(file);
    const std::string text = (std::ostringstream() << in.rdbuf()).str();
    const auto learned = nlohmann::json::parse(text, nullptr, false);
    ASSERT_TRUE(learned.is_object()) << file << ": " << text;
    EXPECT_TRUE(learned.at("backends").contains("a")) << text;
}

}  // namespace
}  // namespace ollama_proxy
