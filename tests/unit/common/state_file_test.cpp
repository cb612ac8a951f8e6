#include "ollama_proxy/common/state_file.hpp"

#include "support/environment.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace ollama_proxy {
namespace {
namespace fs = std::filesystem;

class StateFileTest : public testing::Test {
  protected:
    support::TempDir temporary;
    fs::path directory = temporary.path();
    fs::path file = directory / "below" / "state.json";
};

TEST_F(StateFileTest, IsNothingBeforeTheFirstWrite) {
    const auto content = read_state_file(file);
    ASSERT_TRUE(content);
    EXPECT_FALSE(*content);
}

TEST_F(StateFileTest, GivesBackWhatWasWrittenLast) {
    ASSERT_FALSE(replace_state_file(file, "one and much longer"));
    ASSERT_FALSE(replace_state_file(file, "two"));
    EXPECT_EQ(read_state_file(file).value(), "two");
    EXPECT_EQ(std::distance(fs::directory_iterator(file.parent_path()), {}), 1);
}

TEST_F(StateFileTest, IsForItsOwnerAlone) {
    ASSERT_FALSE(replace_state_file(file, "mine"));
    EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(fs::status(file.parent_path()).permissions(), fs::perms::owner_all);
}

TEST_F(StateFileTest, SaysWhichFileCannotBeWritten) {
    std::ofstream(directory / "below") << "a file where a directory should be";
    const auto error = replace_state_file(file, "x");
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::io);
    EXPECT_NE(error->message.find((directory / "below").string()), std::string::npos);
}

TEST_F(StateFileTest, SaysBeforehandWhetherItCouldBeWritten) {
    EXPECT_FALSE(check_state_directory(file.parent_path())) << "not there yet";
    EXPECT_FALSE(fs::exists(file.parent_path())) << "nothing was made";
    std::ofstream(directory / "below") << "a file where a directory should be";
    const auto error = check_state_directory(directory / "below" / "more");
    ASSERT_TRUE(error);
    EXPECT_NE(error->message.find((directory / "below").string()), std::string::npos);
}

TEST_F(StateFileTest, RefusesWhatIsNoFileOrTooLarge) {
    fs::create_directories(file);
    EXPECT_FALSE(read_state_file(file));
    fs::remove(file);
    ASSERT_FALSE(replace_state_file(file, std::string(kStateFileLimit + 1, 'x')));
    EXPECT_FALSE(read_state_file(file));
}

TEST_F(StateFileTest, SetsAsideWhatCannotBeUsed) {
    ASSERT_FALSE(replace_state_file(file, "damaged"));
    const auto aside = set_aside_state_file(file);
    ASSERT_TRUE(aside);
    EXPECT_EQ(read_state_file(*aside).value(), "damaged");
    EXPECT_FALSE(*read_state_file(file));
    EXPECT_FALSE(set_aside_state_file(file));
}

}  // namespace
}  // namespace ollama_proxy
