#pragma once

#include "ollama_proxy/codec/delta_decoder.hpp"
#include "ollama_proxy/codec/stream_watcher.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/monitors/energy.hpp"

#include <boost/asio/awaitable.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ollama_proxy::router {

/// One step of an answer that is passed on while it comes.
struct Step {
    enum class Kind {
        piece,   ///< bytes to send on
        end,     ///< the answer is complete
        broken,  ///< it was cut: `error` says how; the client's connection must not look complete
    };
    Kind kind = Kind::end;
    std::array<std::string_view, 2> parts{};  ///< valid until anything is awaited on this worker
    /// piece: with it whole events have been passed on, so an event of ours may follow
    bool boundary = false;
    Error error;
    /// broken: an error event may be put into the stream (it consists of events or lines, stands at
    /// a boundary, and the backend has not told the client itself)
    bool announce = false;
};

/// One step of an answer that is translated.
struct DeltaStep {
    enum class Kind {
        deltas,  ///< what came, one for each event, never none
        end,     ///< the answer is complete
        broken,  ///< it was cut, could not be read, or is an error of the backend: `error` says
    };
    Kind kind = Kind::end;
    std::span<const codec::Delta> deltas{};  ///< valid until the next call
    Error error;
};

/// An answer that is committed to one backend: either whole (`is_stream()` false, `body()` has it
/// all), or the first piece is there and the rest is pulled with `next()`: pulling is the
/// backpressure. Owns the slot and the connection; dropping it early closes the connection to the
/// backend at once and frees the slot. Thread: lives and dies on one worker.
class ResponseStream {
  public:
    ResponseStream(ResponseStream&&) noexcept;
    ResponseStream& operator=(ResponseStream&&) noexcept;
    ~ResponseStream();

    [[nodiscard]] int status() const;
    /// Header lines of the backend to relay, CRLF each; content type included, no lengths.
    [[nodiscard]] const std::string& fields() const;
    [[nodiscard]] bool is_stream() const;
    /// An event stream (SSE or NDJSON), in contrast to a body too large to be held.
    [[nodiscard]] bool is_event_stream() const;
    /// Length of a body that is passed on as it comes, if the backend announced it.
    [[nodiscard]] std::optional<std::uint64_t> length() const;
    [[nodiscard]] const std::string& body() const;

    /// The next step. After `end` or `broken` it must not be called again.
    /// Cancelling (total) leaves a stream that can only be dropped.
    [[nodiscard]] boost::asio::awaitable<Step> next();

    /// Instead of `next()`: the same answer decoded, also where it is whole or an error status.
    /// Use one of the two for all of an answer. After `end` or `broken` it must not be called
    /// again. Cancelling as above.
    [[nodiscard]] boost::asio::awaitable<DeltaStep> next_delta();
    /// What the decoded events said so far: finish reason, usage. For `next_delta()`.
    [[nodiscard]] codec::AnswerSummary summary() const;
    /// The route that was asked; its dialect is that of `body()`.
    [[nodiscard]] codec::Api api() const;

    /// What the request drew, of a whole answer at once, of a stream after `end` or `broken`.
    /// Absent: nothing is known of the backend's power.
    [[nodiscard]] std::optional<monitors::EnergyCharge> energy() const;

    /// What was learnt of the answer so far.
    [[nodiscard]] const codec::AnswerFacts& facts() const;

    struct Impl;
    explicit ResponseStream(std::unique_ptr<Impl> impl);

  private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::router
