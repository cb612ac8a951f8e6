#include "ollama_proxy/runtime/worker_pool.hpp"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <latch>

namespace ollama_proxy::runtime {
namespace {

TEST(WorkerPool, EachWorkerRunsItsOwnWorkOnItsOwnThread) {
    WorkerPool pool(3);
    pool.start();
    std::latch done(3);
    std::vector<std::size_t> seen(3, 99);
    std::vector<std::thread::id> threads(3);
    for (std::size_t i = 0; i < 3; ++i) {
        boost::asio::post(pool.worker(i).context(), [&, i] {
            seen[i] = Worker::current()->index();
            threads[i] = std::this_thread::get_id();
            done.count_down();
        });
    }
    done.wait();
    EXPECT_EQ(seen, (std::vector<std::size_t>{0, 1, 2}));
    EXPECT_NE(threads[0], threads[1]);
    EXPECT_NE(threads[1], threads[2]);
    EXPECT_EQ(Worker::current(), nullptr);
}

TEST(WorkerPool, StopFinishesWhatIsPostedAndIgnoresFarDeadlines) {
    WorkerPool pool(1);
    pool.start();
    bool ran = false;
    Deadline far(pool.worker(0).deadlines(), [](void*) {}, nullptr);
    boost::asio::post(pool.worker(0).context(), [&] {
        far.expires_after(std::chrono::hours(1));
        ran = true;
    });
    pool.stop();
    EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace ollama_proxy::runtime
