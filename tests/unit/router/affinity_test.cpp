#include "router/affinity.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace ollama_proxy::router {
namespace {

using codec::Api;

const std::string kUser = R"({"role":"user","content":"What is a heap?"})";
const std::string kAnswer = R"({"role":"assistant","content":"A tree in an array."})";
const std::string kMore = R"({"content":"And a pairing heap?","role":"user"})";

AffinityKeys keys(const std::string& messages, std::string_view session = {},
                  std::string_view model = "m:latest") {
    const std::string body = R"({"model":"m","messages":[)" + messages + R"(],"stream":true})";
    const auto scan = codec::scan_request(Api::chat_completions, body);
    EXPECT_TRUE(scan.has_value()) << body;
    return affinity_keys(model, session, body, scan ? scan->conversation : codec::Conversation{});
}

TEST(AffinityKeys, ATurnGoesOnFromTheOneBefore) {
    const AffinityKeys first = keys(kUser);
    EXPECT_EQ(first.session, 0U);
    EXPECT_EQ(first.continues, 0U) << "the assistant has not spoken yet";
    EXPECT_NE(first.becomes, 0U);
    const AffinityKeys second = keys(kUser + "," + kAnswer + "," + kMore);
    EXPECT_EQ(second.continues, first.becomes);
    const AffinityKeys third =
        keys(kUser + "," + kAnswer + "," + kMore + "," + kAnswer + "," + kUser);
    EXPECT_EQ(third.continues, second.becomes);
    EXPECT_NE(third.becomes, second.becomes);
}

TEST(AffinityKeys, BlanksAroundTheMessagesDoNotMatterWhatIsInThemDoes) {
    const AffinityKeys tight = keys(kUser);
    EXPECT_EQ(keys("  " + kUser + " \n ").becomes, tight.becomes);
    EXPECT_EQ(keys("\n" + kUser + ", " + kAnswer + "," + kMore).continues, tight.becomes);
    EXPECT_NE(keys(kMore).becomes, tight.becomes);
    EXPECT_NE(keys(kUser, {}, "other:latest").becomes, tight.becomes) << "another model's cache";
}

TEST(AffinityKeys, SeveralAnswersInARowAreOneTurn) {
    EXPECT_EQ(keys(kUser + "," + kAnswer + "," + kAnswer + "," + kMore).continues,
              keys(kUser).becomes);
}

TEST(AffinityKeys, ATextAboutAnAssistantIsNoAnswer) {
    EXPECT_EQ(keys(R"({"role":"user","content":"\"role\":\"assistant\""},)" + kMore).continues, 0U);
    EXPECT_EQ(keys(kAnswer + "," + kUser).continues, 0U) << "a greeting goes on from nothing";
}

TEST(AffinityKeys, EveryLengthHasItsOwn) {
    // whole words and tails take different ways
    std::string text;
    std::vector<std::uint64_t> seen;
    for (int i = 0; i < 40; ++i) {
        const auto key = keys(R"({"content":")" + text + R"("})").becomes;
        EXPECT_EQ(std::ranges::find(seen, key), seen.end()) << i;
        seen.push_back(key);
        text += 'a';
    }
}

TEST(AffinityKeys, ASessionCountsForItsModel) {
    const AffinityKeys one = keys(kUser, "s1");
    EXPECT_NE(one.session, 0U);
    EXPECT_EQ(keys(kMore, "s1").session, one.session);
    EXPECT_NE(keys(kUser, "s2").session, one.session);
    EXPECT_NE(keys(kUser, "s1", "other:latest").session, one.session);
}

TEST(AffinityTable, RemembersWhoServedASessionLast) {
    const auto table = std::make_unique<AffinityTable>();
    const TimePoint now{std::chrono::hours(1)};
    const AffinityKeys key{7, 0, 0};
    EXPECT_FALSE(table->last(key, now));
    table->note(key, 100, now);
    EXPECT_EQ(table->last(key, now)->backend, 100U);
    table->note(key, 200, now + std::chrono::seconds(1));
    EXPECT_EQ(table->last(key, now)->backend, 200U);
    EXPECT_EQ(table->last(key, now)->at, now + std::chrono::seconds(1));
    EXPECT_FALSE(table->last(key, now + AffinityTable::kKeptFor + std::chrono::seconds(2)));
}

TEST(AffinityTable, TheSessionsWordCountsBeforeTheConversations) {
    const auto table = std::make_unique<AffinityTable>();
    const TimePoint now{std::chrono::hours(1)};
    table->note({0, 0, 5}, 100, now);
    EXPECT_EQ(table->last({0, 5, 9}, now)->backend, 100U);
    EXPECT_EQ(table->last({7, 5, 9}, now)->backend, 100U) << "a session that nothing is known of";
    table->note({7, 5, 9}, 200, now);
    EXPECT_EQ(table->last({7, 5, 10}, now)->backend, 200U);
    EXPECT_EQ(table->last({0, 9, 11}, now)->backend, 200U);
    EXPECT_FALSE(table->last({0, 0, 9}, now)) << "what is noted only is not looked for";
    table->note({}, 300, now);
    EXPECT_FALSE(table->last({}, now));
}

TEST(AffinityTable, TheOldestGoWhenThereAreTooMany) {
    const auto table = std::make_unique<AffinityTable>();
    TimePoint now{std::chrono::hours(1)};
    for (std::uint64_t key = 1; key <= 4 * AffinityTable::kMaxEntries; ++key) {
        table->note({key, 0, 0}, key, now += std::chrono::microseconds(1));
    }
    std::size_t kept = 0;
    for (std::uint64_t key = 1; key <= 4 * AffinityTable::kMaxEntries; ++key) {
        kept += table->last({key, 0, 0}, now) ? 1 : 0;
    }
    EXPECT_EQ(kept, AffinityTable::kMaxEntries);
    EXPECT_TRUE(table->last({4 * AffinityTable::kMaxEntries, 0, 0}, now));
    EXPECT_FALSE(table->last({1, 0, 0}, now));
}

}  // namespace
}  // namespace ollama_proxy::router
