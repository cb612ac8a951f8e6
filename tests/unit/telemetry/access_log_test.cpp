#include "ollama_proxy/telemetry/access_log.hpp"

#include "ollama_proxy/telemetry/log.hpp"
#include "telemetry/access_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace ollama_proxy::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

AccessRecord record() {
    AccessRecord r;
    r.request_id = "req-1";
    r.client = "127.0.0.1";
    r.method = "POST";
    r.path = "/v1/chat/completions";
    r.model = "qwen2.5:0.5b";
    r.backend = "ollama-igpu";
    r.reason = "balanced";
    r.status = 200;
    r.bytes_in = 120;
    r.bytes_out = 4096;
    r.duration_ms = 812.34;
    r.first_byte_ms = 90.02;
    r.tokens = 42;
    r.stream = true;
    return r;
}

std::string line(const AccessRecord& r, config::LogFormat format) {
    std::string out;
    append_access_line(out, {format, false}, std::chrono::system_clock::time_point{}, r);
    return out;
}

TEST(AccessLine, SaysTheRequestOnOneCompactLine) {
    EXPECT_EQ(line(record(), config::LogFormat::text),
              "1970-01-01T00:00:00.000Z INFO POST /v1/chat/completions 200 model=qwen2.5:0.5b "
              "backend=ollama-igpu reason=balanced ms=812.3 first_byte_ms=90.0 tokens=42 in=120 "
              "out=4096 stream=true client=127.0.0.1 id=req-1\n");
}

TEST(AccessLine, IsOneObjectInJson) {
    const std::string out = line(record(), config::LogFormat::json);
    EXPECT_THAT(out, HasSubstr(R"("method":"POST","path":"/v1/chat/completions","status":200,)"));
    EXPECT_THAT(out, HasSubstr(R"("tokens":42,"in":120,"out":4096,"stream":true)"));
}

TEST(AccessLine, LeavesOutWhatIsNotKnown) {
    AccessRecord r;
    r.method = "GET";
    r.path = "/healthz";
    r.status = 200;
    EXPECT_EQ(line(r, config::LogFormat::journal), "<6>GET /healthz 200 ms=0.0 in=0 out=0\n");
}

TEST(AccessLine, KeepsHostilePathsAndModelsInTheirColumn) {
    AccessRecord r = record();
    r.path = "/x 200 fake=1\n";
    r.model = "m\" backend=\"evil\nINFO";
    const std::string out = line(r, config::LogFormat::text);
    EXPECT_THAT(out, HasSubstr(R"(POST /x+200+fake=1\n 200 model="m\" backend=\"evil\nINFO")"));
    EXPECT_EQ(out.find('\n'), out.size() - 1);
}

TEST(AccessLine, CutsTextThatIsTooLongForItsField) {
    AccessRecord r = record();
    r.path = std::string(500, 'p');
    EXPECT_THAT(line(r, config::LogFormat::text), HasSubstr(" " + std::string(48, 'p') + " 200"));
}

TEST(AccessLog, HasWrittenEveryRecordWhenItIsStopped) {
    const auto dropped = dropped_access_records();
    testing::internal::CaptureStderr();
    start_access_log();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([] {
            for (int i = 0; i < 250; ++i) write_access(record());
        });
    }
    for (auto& thread : threads) thread.join();
    stop_access_log();
    const std::string out = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1000);
    EXPECT_EQ(dropped_access_records(), dropped);
}

TEST(AccessLog, TakesNothingWhileItIsStoppedAndSoLosesNothing) {
    const auto dropped = dropped_access_records();
    testing::internal::CaptureStderr();
    write_access(record());
    start_access_log();
    stop_access_log();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(dropped_access_records(), dropped);
}

TEST(AccessLog, DropsAndCountsBeyondItsBound) {
    const auto dropped = dropped_access_records();
    testing::internal::CaptureStderr();
    start_access_log();
    constexpr int kRecords = 100'000;
    for (int i = 0; i < kRecords; ++i) write_access(record());
    stop_access_log();
    const std::string out = testing::internal::GetCapturedStderr();
    const auto written = static_cast<std::uint64_t>(std::count(out.begin(), out.end(), '\n'));
    EXPECT_EQ(written + dropped_access_records() - dropped, std::uint64_t{kRecords});
    EXPECT_GE(written, 8192U);
}

TEST(AccessLog, CanBeStartedAgain) {
    testing::internal::CaptureStderr();
    for (int i = 0; i < 2; ++i) {
        start_access_log();
        write_access(record());
        stop_access_log();
    }
    const std::string out = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
}

}  // namespace
}  // namespace ollama_proxy::telemetry
