#include "ollama_proxy/config/endpoint.hpp"

#include "config/address.hpp"
#include "config/suggest.hpp"

#include <gtest/gtest.h>

#include <tuple>

namespace ollama_proxy::config {
namespace {

TEST(Endpoint, IsTakenApart) {
    struct Row {
        const char* text;
        bool tls;
        const char* host;
        int port;
        const char* base_path;
        const char* shown = nullptr;  ///< other than as written
    };
    for (const Row& row : {
             Row{"http://localhost:11434", false, "localhost", 11434, ""},
             Row{"http://localhost:11434/", false, "localhost", 11434, "",
                 "http://localhost:11434"},
             Row{"HTTPS://api.example.com", true, "api.example.com", 443, ""},
             Row{"http://10.0.0.7", false, "10.0.0.7", 80, ""},
             Row{"http://[::1]:8000/base/v2/", false, "::1", 8000, "/base/v2",
                 "http://[::1]:8000/base/v2"},
             Row{"https://h/openai", true, "h", 443, "/openai"},
             Row{"http://my_host:65535", false, "my_host", 65535, ""},
         }) {
        const auto parsed = parse_endpoint(row.text);
        ASSERT_TRUE(std::holds_alternative<Endpoint>(parsed)) << std::get<std::string>(parsed);
        const auto& endpoint = std::get<Endpoint>(parsed);
        EXPECT_EQ(endpoint.text, row.shown != nullptr ? row.shown : row.text);
        EXPECT_EQ(endpoint.tls, row.tls) << row.text;
        EXPECT_EQ(endpoint.host, row.host);
        EXPECT_EQ(endpoint.port, row.port) << row.text;
        EXPECT_EQ(endpoint.base_path, row.base_path) << row.text;
    }
}

// The proxy's own paths begin with /v1 or /api: one left here would be asked for twice.
TEST(Endpoint, LosesTheVersionAtItsEnd) {
    for (const auto& [written, same] : {
             std::pair{"https://host/v1", "https://host"},
             std::pair{"https://host/v1/", "https://host"},
             std::pair{"https://host//v1//", "https://host"},
             std::pair{"http://[::1]:8000/v1", "http://[::1]:8000"},
             std::pair{"https://host/api/v1", "https://host/api"},
             std::pair{"https://host/api/v1/", "https://host/api"},
         }) {
        const auto parsed = parse_endpoint(written);
        ASSERT_TRUE(std::holds_alternative<Endpoint>(parsed)) << std::get<std::string>(parsed);
        // the text too: what was learned is kept by it
        EXPECT_EQ(std::get<Endpoint>(parsed), std::get<Endpoint>(parse_endpoint(same))) << written;
        EXPECT_EQ(std::get<Endpoint>(parsed).text, same);
    }
    for (const char* other : {"https://host/v1beta", "https://host/myv1", "https://host/v1/x"}) {
        EXPECT_EQ(std::get<Endpoint>(parse_endpoint(other)).text, other);
    }
}

TEST(Endpoint, IsRefusedWithTheReason) {
    for (const auto& [text, reason] : {
             std::pair{"", "found nothing"},
             std::pair{"localhost:11434", "did you mean \"http://localhost:11434\""},
             std::pair{"ftp://localhost", "scheme \"ftp\""},
             std::pair{"http://me:secret@localhost", "api_key_env"},
             std::pair{"http://localhost?x=1", "query"},
             std::pair{"http://localhost#x", "fragment"},
             std::pair{"http://:80", "host is missing"},
             std::pair{"http://localhost:0", "1 to 65535"},
             std::pair{"http://localhost:65536", "1 to 65535"},
             std::pair{"http://local host", "not a URL"},
             std::pair{"http://a%0d%0ab", "characters"},
             std::pair{"http://localhost:1x", "not a URL"},
         }) {
        const auto parsed = parse_endpoint(text);
        ASSERT_TRUE(std::holds_alternative<std::string>(parsed)) << text;
        EXPECT_NE(std::get<std::string>(parsed).find(reason), std::string::npos)
            << text << ": " << std::get<std::string>(parsed);
    }
}

TEST(Address, KnowsLoopbackFromTheNetwork) {
    for (const char* host :
         {"127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LocalHost", "::ffff:127.0.0.1"}) {
        EXPECT_TRUE(is_loopback(host)) << host;
        EXPECT_TRUE(is_listen_address(host)) << host;
    }
    for (const char* host : {"0.0.0.0", "::", "192.168.1.2", "fe80::1%eth0", "::ffff:10.0.0.1"}) {
        EXPECT_FALSE(is_loopback(host)) << host;
        EXPECT_TRUE(is_listen_address(host)) << host;
    }
    for (const char* host :
         {"", "127.0.0", "localhost.evil.example", "127.0.0.1:80", "*", "%eth0"}) {
        EXPECT_FALSE(is_loopback(host)) << host;
        EXPECT_FALSE(is_listen_address(host)) << host;
    }
}

TEST(EditDistance, CountsEdits) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("abc", ""), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
    EXPECT_EQ(edit_distance("HTTP_port", "http_port"), 0U);
}

TEST(DidYouMean, NamesTheNearestOrNothing) {
    const std::vector<std::string> words{"http_port", "grpc_port", "host", "api_key_env"};
    EXPECT_EQ(did_you_mean("htp_port", words), "; did you mean \"http_port\"?");
    EXPECT_EQ(did_you_mean("api_key", words), "; did you mean \"api_key_env\"?");
    EXPECT_EQ(did_you_mean("colour", words), "");
    EXPECT_EQ(did_you_mean("", words), "");
    EXPECT_EQ(did_you_mean(std::string(100'000, 'h'), words), "");
}

}  // namespace
}  // namespace ollama_proxy::config
