#include "app/exposure.hpp"

#include <gmock/gmock.h>

namespace ollama_proxy::app {
namespace {

using boost::asio::ip::make_address;
using boost::asio::ip::tcp;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<tcp::endpoint> on(const std::vector<std::string>& addresses) {
    std::vector<tcp::endpoint> out;
    for (const std::string& address : addresses) out.emplace_back(make_address(address), 8080);
    return out;
}

config::LoadResult loaded(bool auth, bool keys, bool anybody) {
    auto config = std::make_shared<config::Config>();
    config->source = "config.yaml";
    config->server.auth.enabled = auth;
    if (keys) config->server.auth.api_keys.emplace_back();
    config->server.allow_unauthenticated = anybody;
    return {config, {}, {}};
}

TEST(Exposure, LoopbackIsNobodyElse) {
    const auto listening = on({"127.0.0.1", "::1", "127.3.2.1", "::ffff:127.0.0.1"});
    EXPECT_EQ(open_address({}, listening), std::nullopt);
    EXPECT_TRUE(check_exposure(loaded(false, false, false), listening));
}

TEST(Exposure, AnyOtherAddressNeedsAKeyThatIsAskedFor) {
    for (const std::string address : {"0.0.0.0", "::", "192.0.2.7", "::ffff:192.0.2.7"}) {
        const auto listening = on({"127.0.0.1", address});
        EXPECT_TRUE(check_exposure(loaded(true, true, false), listening)) << address;
        for (const bool auth : {false, true}) {
            const auto refused = check_exposure(loaded(auth, !auth, false), listening);
            ASSERT_FALSE(refused) << address;
            ASSERT_EQ(refused.problems.size(), 1U);
            EXPECT_THAT(refused.problems[0].to_string(),
                        testing::AllOf(HasSubstr("config.yaml: server.auth: "), HasSubstr(address),
                                       HasSubstr("allow_unauthenticated")));
        }
    }
}

TEST(Exposure, WhoWantsItOpenIsWarned) {
    const auto open = check_exposure(loaded(false, false, true), on({"0.0.0.0"}));
    ASSERT_TRUE(open);
    EXPECT_THAT(open.warnings, ElementsAre(HasSubstr("0.0.0.0")));
    EXPECT_THAT(check_exposure(loaded(false, false, true), on({"127.0.0.1"})).warnings, IsEmpty());
    EXPECT_THAT(check_exposure(loaded(true, true, true), on({"0.0.0.0"})).warnings, IsEmpty());
}

}  // namespace
}  // namespace ollama_proxy::app
