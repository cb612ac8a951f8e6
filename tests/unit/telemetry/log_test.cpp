#include "ollama_proxy/telemetry/log.hpp"

#include "telemetry/stderr_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace ollama_proxy::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

config::Logging logging(config::LogFormat format, config::LogLevel level = config::LogLevel::info) {
    config::Logging settings;
    settings.format = format;
    settings.level = level;
    return settings;
}

TEST(Log, WritesAtOnceBeforeItIsStarted) {
    testing::internal::CaptureStderr();
    log_warn("early", {{"key", "some value"}});
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("WARN early key=\"some value\""));
}

TEST(Log, HasWrittenEverythingWhenItIsStopped) {
    const auto dropped = dropped_log_lines();
    testing::internal::CaptureStderr();
    start_logging(logging(config::LogFormat::journal));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([] {
            for (int i = 0; i < 125; ++i) log_info("line", {{"n", std::to_string(i)}});
        });
    }
    for (auto& thread : threads) thread.join();
    stop_logging();
    const std::string out = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 500);
    EXPECT_EQ(dropped_log_lines(), dropped);
}

TEST(Log, ObeysLevelAndFormatOfAReload) {
    testing::internal::CaptureStderr();
    start_logging(logging(config::LogFormat::text, config::LogLevel::error));
    log_info("hidden");
    reconfigure_logging(logging(config::LogFormat::json, config::LogLevel::debug));
    log_debug("shown");
    stop_logging();
    const std::string out = testing::internal::GetCapturedStderr();
    reconfigure_logging(logging(config::LogFormat::text));
    EXPECT_THAT(out, Not(HasSubstr("hidden")));
    EXPECT_THAT(out, HasSubstr(R"("level":"debug","message":"shown"})"));
}

TEST(Log, LevelOffSilencesEverything) {
    testing::internal::CaptureStderr();
    reconfigure_logging(logging(config::LogFormat::text, config::LogLevel::off));
    log_error("hidden");
    reconfigure_logging(logging(config::LogFormat::text));
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

/// Standard error as a pipe that nobody reads.
class BlockedStderr {
  public:
    BlockedStderr() : saved_(::dup(STDERR_FILENO)) {
        if (::pipe(pipe_.data()) != 0) std::abort();
        ::dup2(pipe_[1], STDERR_FILENO);
    }
    ~BlockedStderr() {
        ::dup2(saved_, STDERR_FILENO);
        for (const int fd : {saved_, pipe_[0], pipe_[1]}) ::close(fd);
    }

  private:
    int saved_;
    std::array<int, 2> pipe_{};
};

TEST(Log, NeitherCallersNorStoppingWaitForABlockedSink) {
    const auto before = dropped_log_lines();
    {
        BlockedStderr blocked;
        start_logging(logging(config::LogFormat::text));
        const std::string filler(1000, 'x');
        for (int i = 0; i < 10000; ++i) log_info(filler);
        stop_logging();
    }
    EXPECT_GT(dropped_log_lines(), before);
}

TEST(StderrWriter, WritesLongTextWholeToAPipeThatIsRead) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const std::string text(300'000, 'a');
    std::string got;
    std::thread reader([&] {
        char buffer[4096];
        for (ssize_t n = 0; (n = ::read(pipe[0], buffer, sizeof buffer)) > 0;) {
            got.append(buffer, static_cast<std::size_t>(n));
        }
    });
    StderrWriter writer(pipe[1]);
    EXPECT_TRUE(writer.write(text));
    EXPECT_FALSE(writer.wants_colour());
    ::close(pipe[1]);
    reader.join();
    ::close(pipe[0]);
    EXPECT_EQ(got, text);
}

}  // namespace
}  // namespace ollama_proxy::telemetry
