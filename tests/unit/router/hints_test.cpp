#include "ollama_proxy/router/request.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

TEST(Priority, ReadsWordsAndNumbers) {
    EXPECT_EQ(parse_priority("best-effort"), Priority::best_effort);
    EXPECT_EQ(parse_priority("normal"), Priority::normal);
    EXPECT_EQ(parse_priority("High"), Priority::high);
    EXPECT_EQ(parse_priority(" CRITICAL "), Priority::critical);
    EXPECT_EQ(parse_priority("0"), Priority::best_effort);
    EXPECT_EQ(parse_priority("1"), Priority::normal);
    EXPECT_EQ(parse_priority("2"), Priority::high);
    EXPECT_EQ(parse_priority("3"), Priority::critical);
}

TEST(Priority, RefusesWhatIsNeither) {
    for (const char* text : {"", "4", "-1", "00", "1.0", "urgent", "critical!", "best_effort"}) {
        EXPECT_EQ(parse_priority(text), std::nullopt) << text;
    }
}

TEST(Priority, IsShownByTheWordThatItIsReadFrom) {
    for (std::size_t i = 0; i < kPriorities; ++i) {
        const auto priority = static_cast<Priority>(i);
        EXPECT_EQ(parse_priority(to_string(priority)), priority);
    }
    EXPECT_EQ(to_string(Priority::best_effort), "best-effort");
}

TEST(MediaType, ReadsEveryWordOfTheContract) {
    EXPECT_EQ(parse_media_type("realtime"), MediaType::realtime);
    EXPECT_EQ(parse_media_type("audio"), MediaType::audio);
    EXPECT_EQ(parse_media_type("code"), MediaType::code);
    EXPECT_EQ(parse_media_type("image"), MediaType::image);
    EXPECT_EQ(parse_media_type("text"), MediaType::text);
    EXPECT_EQ(parse_media_type("Batch"), MediaType::batch);
    EXPECT_EQ(parse_media_type(" interactive"), MediaType::interactive);
    EXPECT_EQ(parse_media_type("none"), std::nullopt);
    EXPECT_EQ(parse_media_type("video"), std::nullopt);
    EXPECT_EQ(parse_media_type(""), std::nullopt);
}

}  // namespace
}  // namespace ollama_proxy::router
