#include "ollama_proxy/access/client_limits.hpp"

#include <gtest/gtest.h>
#include <openssl/sha.h>

namespace ollama_proxy::access {
namespace {

const TimePoint kNow = TimePoint() + std::chrono::hours(1);

config::Server server_with_key(bool keys_on) {
    config::Server server;
    config::ApiKey key{"laptop", {}, {.inference = true, .read = true, .admin = false}};
    const std::string secret = "secret";
    SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), key.sha256.data());
    server.auth.enabled = keys_on;
    server.auth.api_keys = {key};
    server.rate_limit = {true, 1.0, 1};
    return server;
}

TEST(Admit, NamesAClientByItsKeyAndWithoutKeysByItsAddress) {
    const config::Server with = server_with_key(true);
    ClientLimits limits(with);
    EXPECT_EQ(*admit("secret", "127.0.0.1", Permission::read, with, limits, kNow), "laptop");
    const config::Server without = server_with_key(false);
    EXPECT_EQ(*admit("secret", "127.0.0.1", Permission::read, without, limits, kNow), "127.0.0.1");
}

TEST(Admit, RefusesAKeyBeforeItCountsAgainstARate) {
    const config::Server server = server_with_key(true);
    ClientLimits limits(server);
    const auto ask = [&](std::string_view secret, Permission wanted) {
        return admit(secret, "127.0.0.1", wanted, server, limits, kNow);
    };
    EXPECT_EQ(ask("wrong", Permission::inference).error().code, Errc::invalid_api_key);
    EXPECT_EQ(ask("secret", Permission::admin).error().code, Errc::permission_denied);
    EXPECT_TRUE(ask("secret", Permission::inference));
    const auto late = ask("secret", Permission::inference);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::rate_limited);
    EXPECT_EQ(late.error().retry_after_s, 1);
}

TEST(Admit, LeavesWhatIsOpenToEverybodyAlone) {
    const config::Server server = server_with_key(true);
    ClientLimits limits(server);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(admit("", "::1", Permission::none, server, limits, kNow));
        EXPECT_TRUE(admit("secret", "::1", Permission::read, server, limits, kNow));
    }
}

}  // namespace
}  // namespace ollama_proxy::access
