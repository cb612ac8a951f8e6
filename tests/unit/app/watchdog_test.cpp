#include "app/watchdog.hpp"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <future>

namespace ollama_proxy::app {
namespace {

TEST(Watchdog, IsSilentWhileAWorkerHangsAndSpeaksAgainAfterwards) {
    boost::asio::io_context control;
    runtime::WorkerPool workers(2);
    workers.start();
    std::promise<void> release;
    boost::asio::post(workers.worker(1).context(),
                      [wait = release.get_future().share()] { wait.wait(); });
    int alive = 0;
    Watchdog watchdog(control, workers, [&] { ++alive; });
    watchdog.start(Milliseconds(2));
    for (int i = 0; i < 5; ++i) control.run_one();
    EXPECT_EQ(alive, 1);
    release.set_value();
    for (int i = 0; i < 10000 && alive < 3; ++i) control.run_one();
    EXPECT_EQ(alive, 3);
    watchdog.stop();
    control.run();  // ends: nothing of it is left
    workers.stop();
}

TEST(Watchdog, WithoutAnIntervalNothingHappens) {
    boost::asio::io_context control;
    runtime::WorkerPool workers(1);
    int alive = 0;
    Watchdog watchdog(control, workers, [&] { ++alive; });
    watchdog.start(Milliseconds(0));
    control.run();
    EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace ollama_proxy::app
