#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace ollama_proxy::telemetry {

/// Text of bounded length inside the record: what is longer is cut. No allocation.
template <std::size_t N>
class ShortText {
  public:
    ShortText& operator=(std::string_view text) {
        size_ = static_cast<std::uint8_t>(text.size() < N ? text.size() : N);
        text.copy(data_.data(), size_);
        return *this;
    }
    [[nodiscard]] std::string_view view() const { return {data_.data(), size_}; }

  private:
    static_assert(N < 256);
    std::array<char, N> data_{};
    std::uint8_t size_ = 0;
};

/// One finished request. The path carries no query string.
struct AccessRecord {
    ShortText<48> request_id;
    ShortText<48> client;  ///< key name or peer address
    ShortText<8> method;
    ShortText<48> path;
    ShortText<48> model;
    ShortText<32> backend;
    ShortText<20> reason;
    ShortText<24> error;  ///< wire code when it failed
    int status = 0;       ///< 499 when the client left
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    double duration_ms = 0;
    double first_byte_ms = -1;  ///< -1: none was sent
    double queue_ms = 0;
    std::int64_t tokens = -1;  ///< -1: not known
    bool tokens_estimated = false;
    bool stream = false;
};

/// Starts / stops the thread that formats and writes records (with the log's format and sink).
/// Records are copied into a bounded buffer; beyond it they are dropped and counted.
void start_access_log();
void stop_access_log();
/// Any thread; copies the record under a short lock and returns. Does nothing while the log is not
/// started.
void write_access(const AccessRecord& record);

/// Records lost because the sink could not keep up.
[[nodiscard]] std::uint64_t dropped_access_records();

}  // namespace ollama_proxy::telemetry
