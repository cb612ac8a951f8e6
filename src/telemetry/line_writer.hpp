#pragma once

#include "ollama_proxy/config/words.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace ollama_proxy::telemetry {

struct LineStyle {
    config::LogFormat format = config::LogFormat::text;
    bool colour = false;  ///< text only
};

/// Appends one log line to a string, in the chosen format; pure. Whatever the values hold, the
/// result is one line without control characters, and in `json` one valid object.
///   text     2026-01-02T03:04:05.678Z INFO message key=value
///   json     {"time":"2026-01-02T03:04:05.678Z","level":"info","message":"...","key":"value"}
///   journal  <6>message key=value
class LineWriter {
  public:
    LineWriter(std::string& out, LineStyle style, config::LogLevel level,
               std::chrono::system_clock::time_point time, std::string_view message);

    /// Adds `key=value`; the value is quoted where it has to be. Keys are our own literals.
    LineWriter& text(std::string_view key, std::string_view value);
    LineWriter& number(std::string_view key, std::int64_t value);
    /// With `decimals` (0..6) digits after the point; what is not finite becomes 0.
    LineWriter& number(std::string_view key, double value, int decimals);
    LineWriter& flag(std::string_view key, bool value);
    /// Ends the line.
    void finish();

  private:
    void key(std::string_view name);

    std::string& out_;
    const bool json_;
};

/// `2026-01-02T03:04:05.678Z`, UTC.
void append_time(std::string& out, std::chrono::system_clock::time_point time);

/// The inside of a JSON string. Bytes that are not UTF-8 become U+FFFD.
void append_json_escaped(std::string& out, std::string_view text);

/// For people: control characters and bytes that are not UTF-8 as \n, \t, \xNN or \uNNNN; the rest
/// as it is. With `quoted`, also `"` and `\`.
void append_text_escaped(std::string& out, std::string_view text, bool quoted);

}  // namespace ollama_proxy::telemetry
