#include "router/progress_lines.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

ProgressLines fed(std::initializer_list<std::string_view> pieces) {
    ProgressLines lines;
    for (std::string_view piece : pieces) lines.feed(piece);
    return lines;
}

TEST(ProgressLines, ALineOfOursMayFollowOnlyAWholeOne) {
    EXPECT_TRUE(fed({}).at_boundary());
    EXPECT_FALSE(fed({R"({"status":"pu)"}).at_boundary());
    EXPECT_TRUE(fed({R"({"status":"pu)", "lling\"}\n"}).at_boundary());
    EXPECT_FALSE(fed({"{\"status\":\"pulling\"}\n{"}).at_boundary());
    EXPECT_TRUE(fed({"{}\r\n", "\n"}).at_boundary());
}

TEST(ProgressLines, TheLastLineTellsWhetherItIsTheEnd) {
    EXPECT_TRUE(fed({"{\"status\":\"pulling\"}\n{\"status\":\"success\"}\n"}).complete());
    EXPECT_TRUE(fed({"{\"sta", "tus\": \"succ", "ess\"}"}).complete()) << "its line end may lack";
    EXPECT_TRUE(fed({"{\"status\":\"success\"}\r\n\n"}).complete());
    EXPECT_TRUE(fed({"{\"status\":\"pulling\"}\n", "{\"error\":\"no space\"}\n"}).complete());
    EXPECT_TRUE(fed({"{\"model\":\"m\",\"done\":true}\n"}).complete());
}

TEST(ProgressLines, WhatIsNoEndIsNone) {
    EXPECT_FALSE(fed({}).complete());
    EXPECT_FALSE(fed({"{\"status\":\"pulling\"}\n"}).complete());
    EXPECT_FALSE(fed({"{\"status\":\"success\"}\n{\"status\":\"more\"}\n"}).complete());
    EXPECT_FALSE(fed({"{\"status\":\"success\""}).complete());
    EXPECT_FALSE(fed({"{\"done\":false}\n"}).complete());
    EXPECT_FALSE(fed({"\"success\"\n"}).complete());
    EXPECT_FALSE(fed({"\xff\xfe\n"}).complete());
}

TEST(ProgressLines, ALineWithoutAnEndIsNotKept) {
    ProgressLines lines;
    const std::string piece(100000, 'x');
    for (int i = 0; i < 100; ++i) lines.feed(piece);
    EXPECT_FALSE(lines.at_boundary());
    EXPECT_FALSE(lines.complete());
    lines.feed("\n{\"status\":\"success\"}\n");
    EXPECT_TRUE(lines.complete());
}

}  // namespace
}  // namespace ollama_proxy::router
