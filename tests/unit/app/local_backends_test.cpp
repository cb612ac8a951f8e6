// Backends that no file names, at the start and at each reload.
#include "app/local_backends.hpp"

#include "support/scripted_backend.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <optional>

namespace ollama_proxy::app {
namespace {

using support::ScriptedBackend;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

config::Config open_configuration() {
    config::Config out;
    out.server.http_port = 0;
    return out;
}

std::vector<std::string> ids(const config::Config& config) {
    std::vector<std::string> out;
    for (const auto& backend : config.backends) out.push_back(backend.id);
    return out;
}

std::string id_of(std::uint16_t port) { return "ollama-" + std::to_string(port); }

TEST(LocalBackends, AReloadAddsWhoHasComeAndForgetsNobodyWhoIsDown) {
    std::optional<ScriptedBackend> early(std::in_place, ScriptedBackend::answering_json("{}"));
    support::ReservedPort reserved;
    const std::uint16_t ports[] = {early->port(), reserved.number()};
    LocalBackends local(false, ports);
    config::Config first = open_configuration();
    (void)local.fill_in(first);
    EXPECT_THAT(ids(first), Contains(id_of(ports[0])));

    early.reset();
    const ScriptedBackend late(ScriptedBackend::answering_json("{}"), {}, std::move(reserved));
    const auto both_are_known = [&] {
        config::Config again = open_configuration();
        EXPECT_THAT(local.fill_in(again), IsEmpty());
        EXPECT_THAT(ids(again), Contains(id_of(ports[0])));
        return std::ranges::count(ids(again), id_of(ports[1])) == 1;
    };
    EXPECT_TRUE(support::eventually(both_are_known));
}

TEST(LocalBackends, NobodyThereIsWorthALineOnce) {
    const support::ReservedPort nobody;
    const std::uint16_t ports[] = {nobody.number()};
    LocalBackends local(false, ports);
    config::Config config = open_configuration();
    EXPECT_THAT(local.fill_in(config), ElementsAre(HasSubstr("start Ollama")));
    EXPECT_THAT(ids(config), ElementsAre(id_of(ports[0]))) << "it is watched";
    config = open_configuration();
    EXPECT_THAT(local.fill_in(config), IsEmpty());
    EXPECT_THAT(ids(config), ElementsAre(id_of(ports[0])));
}

TEST(LocalBackends, ADefaultThatIsNotThereIsTakenOutAndTold) {
    LocalBackends local(false);
    config::Config config;
    config.discover_local = false;
    config.router.default_backend = "nobody";
    EXPECT_THAT(local.fill_in(config), ElementsAre(HasSubstr("nobody")));
    EXPECT_EQ(config.router.default_backend, "");
}

TEST(LocalBackends, TheDemoStaysTheSameFourServers) {
    LocalBackends local(true);
    config::Config first = open_configuration();
    config::Config again = open_configuration();
    EXPECT_THAT(local.fill_in(first), IsEmpty());
    EXPECT_THAT(local.fill_in(again), IsEmpty());
    EXPECT_EQ(first.backends.size(), 4U);
    EXPECT_EQ(first.backends, again.backends);
}

}  // namespace
}  // namespace ollama_proxy::app
