#include "ollama_proxy/common/request_id.hpp"

#include <gtest/gtest.h>

#include <set>

namespace ollama_proxy {
namespace {

TEST(RequestId, AcceptsVisibleAsciiUpTo128) {
    EXPECT_TRUE(is_valid_request_id("req-001"));
    EXPECT_TRUE(is_valid_request_id(std::string(128, 'x')));
    EXPECT_FALSE(is_valid_request_id(std::string(129, 'x')));
    EXPECT_FALSE(is_valid_request_id(""));
    EXPECT_FALSE(is_valid_request_id("a b"));
    EXPECT_FALSE(is_valid_request_id("a\nb"));
    EXPECT_FALSE(is_valid_request_id("\xc3\xa4"));
}

TEST(RequestId, FreshOnesAreValidAndDiffer) {
    std::set<std::string> seen;
    for (int i = 0; i < 10000; ++i) {
        std::string id = make_request_id();
        EXPECT_TRUE(is_valid_request_id(id)) << id;
        EXPECT_TRUE(seen.insert(std::move(id)).second);
    }
}

}  // namespace
}  // namespace ollama_proxy
