#include "ollama_proxy/common/snapshot_cell.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace ollama_proxy {
namespace {

TEST(SnapshotCell, RefreshesWhatIsHeldOnlyWhenThereIsAnother) {
    SnapshotCell<int> cell(std::make_shared<const int>(1));
    std::shared_ptr<const int> held;
    cell.refresh(held);
    ASSERT_TRUE(held);
    EXPECT_EQ(*held, 1);
    const auto users = held.use_count();
    cell.refresh(held);
    EXPECT_EQ(held.use_count(), users);
    cell.store(std::make_shared<const int>(2));
    EXPECT_EQ(*held, 1) << "what is held stays as it was";
    cell.refresh(held);
    EXPECT_EQ(*held, 2);
    EXPECT_EQ(*cell.load(), 2);
}

TEST(SnapshotCell, StartsEmptyAndIsSeenByOtherThreads) {
    SnapshotCell<int> cell;
    std::shared_ptr<const int> held;
    cell.refresh(held);
    EXPECT_FALSE(held);
    std::thread writer([&] {
        for (int i = 1; i <= 1000; ++i) cell.store(std::make_shared<const int>(i));
    });
    int seen = 0;
    while (seen < 1000) {
        cell.refresh(held);
        if (!held) continue;
        EXPECT_GE(*held, seen);
        seen = *held;
    }
    writer.join();
}

}  // namespace
}  // namespace ollama_proxy
