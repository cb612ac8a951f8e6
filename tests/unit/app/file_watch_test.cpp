// What counts as another file, however it became one.
#include "app/file_watch.hpp"

#include "support/environment.hpp"
#include "support/wait.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <poll.h>

namespace ollama_proxy::app {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public testing::Test {
  protected:
    /// Whether something has happened; it is taken.
    static bool stirs(const FileWatch& watch) {
        pollfd ready{watch.fd(), POLLIN, 0};
        const bool stirred = ::poll(&ready, 1, 0) > 0;
        watch.drain();
        return stirred;
    }

    support::TempDir folder_;
    const fs::path file_ = folder_.write("config.yaml", "one");
};

TEST_F(FileWatchTest, AFileThatNobodyTouchesIsTheSame) {
    FileWatch watch(file_);
    EXPECT_FALSE(stirs(watch));
    EXPECT_FALSE(watch.changed());
}

TEST_F(FileWatchTest, WritingInPlaceMakesItAnotherOnce) {
    FileWatch watch(file_);
    folder_.write("config.yaml", "longer");
    EXPECT_TRUE(stirs(watch));
    EXPECT_FALSE(stirs(watch)) << "taken";
    EXPECT_TRUE(watch.changed());
    EXPECT_FALSE(watch.changed());
}

TEST_F(FileWatchTest, ARenameOverItIsSeenAgainAndAgain) {
    FileWatch watch(file_);
    for (int i = 0; i < 3; ++i) {
        fs::rename(folder_.write("new", "two"), file_);
        EXPECT_TRUE(stirs(watch)) << i;
        EXPECT_TRUE(watch.changed()) << i;
    }
}

TEST_F(FileWatchTest, WhatHappensBesideItIsNoChange) {
    FileWatch watch(file_);
    folder_.write("another", "text");
    EXPECT_TRUE(stirs(watch));
    EXPECT_FALSE(watch.changed());
}

TEST_F(FileWatchTest, GoingAndComingBackAreChanges) {
    FileWatch watch(file_);
    fs::remove(file_);
    EXPECT_TRUE(watch.changed());
    EXPECT_FALSE(watch.changed());
    folder_.write("config.yaml", "three");
    EXPECT_TRUE(stirs(watch));
    EXPECT_TRUE(watch.changed());
}

TEST_F(FileWatchTest, AnEmptyOneIsStillBeingWritten) {
    FileWatch watch(file_);
    folder_.write("config.yaml", "");
    EXPECT_FALSE(watch.changed());
    folder_.write("config.yaml", "now it is there");
    EXPECT_TRUE(watch.changed());
}

TEST_F(FileWatchTest, ALinkIsFollowedToWhereItPointsNow) {
    const support::TempDir elsewhere;
    fs::create_directory(elsewhere.path() / "v1");
    fs::create_directory(elsewhere.path() / "v2");
    elsewhere.write("v1/config.yaml", "one");
    elsewhere.write("v2/config.yaml", "two");
    const fs::path link = folder_.path() / "link.yaml";
    fs::create_symlink(elsewhere.path() / "v1/config.yaml", link);
    FileWatch watch(link);
    elsewhere.write("v1/config.yaml", "one, longer");
    EXPECT_TRUE(stirs(watch)) << "what it points to";
    EXPECT_TRUE(watch.changed());

    fs::create_symlink(elsewhere.path() / "v2/config.yaml", folder_.path() / "new");
    fs::rename(folder_.path() / "new", link);
    EXPECT_TRUE(stirs(watch)) << "the link itself";
    EXPECT_TRUE(watch.changed());
    elsewhere.write("v2/config.yaml", "two, longer");
    EXPECT_TRUE(stirs(watch)) << "the new target is watched";
    EXPECT_TRUE(watch.changed());
}

}  // namespace
}  // namespace ollama_proxy::app
