// The binary reads its configuration again: at SIGHUP, and when an editor has saved the file.
#include "daemon_process.hpp"
#include "front_end.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace ollama_proxy::front_end {
namespace {

using testing::HasSubstr;

std::string configuration(const std::vector<std::string>& backends, std::string_view more = {}) {
    return support::config_yaml(backends,
                                "server: { grpc_port: null, workers: 2, shutdown_grace_ms: 300 }\n"
                                "logging: { access_log: false }\n"
                                "monitors: { enabled: false }\n"
                                "dbus: { enabled: false }\n"
                                "notifications: { enabled: false }\n" +
                                    std::string(more));
}

/// Whether GET /backends lists it.
bool lists(const DaemonProcess& daemon, std::string_view id) {
    const auto reply = support::http_get(daemon.port(), "/backends");
    return reply.body.find("\"id\":\"" + std::string(id) + "\"") != std::string::npos;
}

bool counted(const DaemonProcess& daemon, const std::string& result, int times) {
    const std::string line = "ollama_proxy_config_reloads_total{result=\"" + result + "\"} " +
                             std::to_string(times) + "\n";
    return support::eventually([&] {
        return support::http_get(daemon.port(), "/metrics").body.find(line) != std::string::npos;
    });
}

TEST(ReloadOfTheProcess, HappensAtSighupAndTheProcessStays) {
    DaemonProcess daemon(configuration({}));
    daemon.signal(SIGHUP);
    EXPECT_TRUE(counted(daemon, "unchanged", 1));
    daemon.configure(configuration({support::backend_yaml("fresh", 1)}));
    daemon.signal(SIGHUP);
    EXPECT_TRUE(support::eventually([&] { return lists(daemon, "fresh"); }));
    EXPECT_TRUE(counted(daemon, "applied", 1));
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.wait_exit(), 0);
    EXPECT_THAT(daemon.errors(), HasSubstr("backends added: fresh"));
}

TEST(ReloadOfTheProcess, HappensWhenTheFileIsWrittenInPlaceAndWhenAnEditorReplacesIt) {
    const DaemonProcess daemon(configuration({}));
    daemon.configure(configuration({support::backend_yaml("written", 1)}));
    EXPECT_TRUE(support::eventually([&] { return lists(daemon, "written"); }));
    const auto file = daemon.config_file();
    for (const std::string id : {"renamed", "renamed-again"}) {
        const auto beside = file.parent_path() / "config.yaml.new";
        std::ofstream(beside) << configuration({support::backend_yaml(id, 1)});
        std::filesystem::rename(beside, file);
        EXPECT_TRUE(support::eventually([&] { return lists(daemon, id); })) << id;
    }
    EXPECT_FALSE(lists(daemon, "written"));
}

TEST(ReloadOfTheProcess, ABadFileChangesNothingAndTheLogSaysWhereAndWhat) {
    const std::string good = configuration({support::backend_yaml("old", 1)});
    DaemonProcess daemon(good);
    daemon.configure("queue:\n  max_sise: 5\n" + good);
    daemon.signal(SIGHUP);
    EXPECT_TRUE(support::eventually([&] {
        return support::http_get(daemon.port(), "/metrics").body.find("result=\"rejected\"") !=
               std::string::npos;
    }));
    EXPECT_TRUE(lists(daemon, "old"));
    daemon.configure(configuration({support::backend_yaml("new", 1)}));
    EXPECT_TRUE(support::eventually([&] { return lists(daemon, "new"); })) << "it is not given up";
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.wait_exit(), 0);
    EXPECT_THAT(daemon.errors(),
                HasSubstr("config.yaml:2:3: queue.max_sise: unknown key; did you mean "));
}

TEST(ReloadOfTheProcess, AFileThatIsGoneIsNoReasonToServeSomethingElse) {
    const DaemonProcess daemon(configuration({support::backend_yaml("old", 1)}));
    std::filesystem::remove(daemon.config_file());
    EXPECT_TRUE(counted(daemon, "rejected", 1));
    EXPECT_TRUE(lists(daemon, "old"));
}

TEST(ReloadOfTheProcess, NamesTheKeysThatWaitForARestart) {
    DaemonProcess daemon(configuration({}));
    daemon.configure(configuration({}, "state_dir: /somewhere/else\nqueue: { max_size: 7 }\n"));
    EXPECT_TRUE(counted(daemon, "applied", 1));
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.wait_exit(), 0);
    const std::string log = daemon.errors();
    EXPECT_THAT(log, HasSubstr("changes=queue.max_size"));
    EXPECT_THAT(log, HasSubstr("keys=state_dir"));
}

}  // namespace
}  // namespace ollama_proxy::front_end
