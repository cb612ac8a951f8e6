#include "ollama_proxy/common/observers.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ollama_proxy {
namespace {

TEST(Observers, HearEveryNewsUntilTheirSubscriptionEnds) {
    Observers<int> observers;
    std::string heard;
    auto a = observers.subscribe([&](int news) { heard += "a" + std::to_string(news); });
    {
        const auto b = observers.subscribe([&](int news) { heard += "b" + std::to_string(news); });
        observers.notify(1);
    }
    observers.notify(2);
    a = {};
    observers.notify(3);
    EXPECT_EQ(heard, "a1b1a2");
}

TEST(Observers, MoveTheirSubscription) {
    Observers<int> observers;
    int sum = 0;
    auto a = observers.subscribe([&](int news) { sum += news; });
    auto b = std::move(a);
    observers.notify(1);
    b = observers.subscribe([&](int news) { sum += 10 * news; });
    observers.notify(1);
    EXPECT_EQ(sum, 11);
}

}  // namespace
}  // namespace ollama_proxy
