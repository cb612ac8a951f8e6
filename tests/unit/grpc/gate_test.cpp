#include "grpc/gate.hpp"

#include <gtest/gtest.h>
#include <openssl/sha.h>

namespace ollama_proxy::grpc_api {
namespace {

const TimePoint kNow = TimePoint() + std::chrono::hours(1);

class Gate : public testing::Test {
  protected:
    Result<std::string> check(const CallFacts& facts,
                              access::Permission wanted = access::Permission::inference) {
        access::ClientLimits limits(server_);
        return check_call(facts, wanted, server_, limits, kNow);
    }
    static CallFacts from(std::string_view authority) {
        CallFacts facts;
        facts.authority = authority;
        facts.peer = "ipv4:127.0.0.1:4711";
        return facts;
    }

    config::Server server_;
};

TEST(PeerAddress, IsTheAddressAlone) {
    EXPECT_EQ(peer_address("ipv4:127.0.0.1:4711"), "127.0.0.1");
    EXPECT_EQ(peer_address("ipv6:%5B::1%5D:4711"), "::1");
    EXPECT_EQ(peer_address("ipv6:[fe80::2]:4711"), "fe80::2");
    EXPECT_EQ(peer_address("unix"), "unix");
    EXPECT_EQ(peer_address(""), "");
}

TEST_F(Gate, NamesAClientByItsAddress) {
    EXPECT_EQ(check(from("localhost:50051")).value(), "127.0.0.1");
}

TEST_F(Gate, RefusesAForeignNameButNoAddress) {
    EXPECT_EQ(check(from("evil.example:50051")).error().code, Errc::forbidden_host);
    EXPECT_TRUE(check(from("192.168.1.7:50051")));
    EXPECT_TRUE(check(from("[::1]:50051")));
    server_.allowed_hosts = {"box.lan"};
    EXPECT_TRUE(check(from("box.lan:50051")));
}

TEST_F(Gate, RefusesAForeignOrigin) {
    CallFacts facts = from("localhost:50051");
    facts.metadata = {{"origin", "https://evil.example"}};
    EXPECT_EQ(check(facts).error().code, Errc::forbidden_origin);
    facts.metadata = {{"origin", "http://localhost:3000"}};
    EXPECT_TRUE(check(facts));
}

TEST_F(Gate, BoundsBytesAndEntriesOfTheMetadata) {
    const std::string big(server_.limits.header_bytes, 'x');
    CallFacts facts = from("localhost");
    facts.metadata = {{"a", big}};
    EXPECT_EQ(check(facts).error().code, Errc::header_too_large);
    facts.metadata.assign(server_.limits.header_fields, {"a", "b"});
    EXPECT_TRUE(check(facts));
    facts.metadata.emplace_back("a", "b");
    EXPECT_EQ(check(facts).error().code, Errc::header_too_large);
}

TEST_F(Gate, RefusesAnAuthorizationThatWouldBeMoreThanOneLine) {
    CallFacts facts = from("localhost");
    for (const char* value : {"Bearer a\r\nX-Other: b", "Bearer a\n", "Bearer \x7f"}) {
        facts.metadata = {{"authorization", value}};
        EXPECT_EQ(check(facts).error().code, Errc::invalid_request) << value;
    }
    facts.metadata = {{"authorization", "Bearer a b\t\xc3\xa4"}};
    EXPECT_TRUE(check(facts));
}

TEST_F(Gate, AsksForAKeyWhereKeysAreOn) {
    config::ApiKey key{"laptop", {}, {.inference = true, .read = false, .admin = false}};
    const std::string secret = "secret";
    SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), key.sha256.data());
    server_.auth.enabled = true;
    server_.auth.api_keys = {key};
    CallFacts facts = from("localhost");
    EXPECT_EQ(check(facts).error().code, Errc::invalid_api_key);
    EXPECT_TRUE(check(facts, access::Permission::none));
    facts.metadata = {{"authorization", "Bearer secret"}};
    EXPECT_EQ(check(facts).value(), "laptop");
    EXPECT_EQ(check(facts, access::Permission::read).error().code, Errc::permission_denied);
}

}  // namespace
}  // namespace ollama_proxy::grpc_api
