#pragma once

#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/runtime/worker_pool.hpp"
#include "ollama_proxy/upstream/backend.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::upstream {

class Connection;

/// A request body that is not in memory (blobs): pulled piece by piece.
class BodySource {
  public:
    virtual ~BodySource() = default;
    /// The next bytes, valid until the next call; empty at the end. An error ends the upload.
    virtual boost::asio::awaitable<Result<std::string_view>> next() = 0;
    /// The length if it was announced.
    [[nodiscard]] virtual std::optional<std::uint64_t> length() const = 0;
};

/// What is sent to a backend. The views must live until `Exchange::open` returns.
struct UpstreamRequest {
    std::string_view method = "POST";
    std::string_view target;  ///< path without the backend's base path, for example "/api/chat"
    std::string_view fields;  ///< header lines, CRLF each, from the allow-list
    std::string_view authorization;  ///< the client's; sent only where the backend is configured so
    std::string_view body;
    BodySource* source = nullptr;  ///< instead of `body`
    /// What must not be done twice goes out on a fresh connection: where a pooled one closes
    /// before its answer, nobody knows whether the request was carried out.
    bool only_once = false;
};

/// How long to wait. With `stall` zero, `head` limits the whole answer.
struct ExchangeTimeouts {
    Milliseconds connect{2000};
    Milliseconds head{120000};  ///< until the first body byte
    Milliseconds stall{60000};  ///< between pieces afterwards
};

/// Why no answer was had. Decides who is asked next and whether it costs the retry budget.
enum class OpenFailure {
    refused,             ///< nothing was sent: connect failed, reset, TLS or name resolution
    connect_timeout,     ///< nothing was sent: connecting took too long
    closed_before_head,  ///< EOF or reset before any byte of the answer
    bad_head,            ///< bytes came that are no acceptable answer
    head_timeout,        ///< no head in time
    source_failed,       ///< the client's upload broke; not the backend's fault
};
struct OpenError {
    OpenFailure kind = OpenFailure::refused;
    Error error;
};

/// What a body is, as far as it matters here.
enum class BodyKind : std::uint8_t {
    other,   ///< passed on as it is
    json,    ///< application/json: its end can be told from its text
    events,  ///< SSE or NDJSON: a stream of events
};

/// The head of an answer, reduced to what is passed on.
struct AnswerHead {
    int status = 0;
    std::string fields;  ///< header lines to relay, CRLF each, without length or hop-by-hop
    BodyKind kind = BodyKind::other;
    std::string retry_after;              ///< raw value
    bool encoded = false;                 ///< has a Content-Encoding: relayed, not inspected
    std::optional<std::uint64_t> length;  ///< announced length of the body
    bool has_body = false;
};

/// One request on one connection: open, next ... next, then the connection goes back to its pool.
/// Dropping it earlier closes the connection at once: that is how an answer is cancelled.
/// Thread: lives and dies on one worker.
class Exchange {
  public:
    using OpenResult = boost::system::result<Exchange, OpenError>;

    /// Connects (or takes a pooled connection), sends, reads the head. A pooled connection that
    /// dies before a byte of the answer is replaced by a fresh one once, silently, unless
    /// `only_once` keeps the request off pooled ones.
    /// Cancelling (total) closes the connection and leaves with `operation_aborted` thrown, so that
    /// it is never taken for a failure of the backend.
    [[nodiscard]] static boost::asio::awaitable<OpenResult> open(std::shared_ptr<Backend> backend,
                                                                 UpstreamRequest request,
                                                                 ExchangeTimeouts timeouts);
    Exchange(Exchange&&) noexcept;
    Exchange& operator=(Exchange&&) noexcept;
    ~Exchange();

    [[nodiscard]] const AnswerHead& head() const;
    /// Moves the header lines out of `head()`.
    [[nodiscard]] std::string take_fields();

    /// The next pieces of the body, decoded; empty at the clean end of the transport. The views
    /// are valid until anything is awaited on this worker. Errors: upstream_timeout (before the
    /// first piece), upstream_stalled, bad_gateway (cut, or framing broken). Cancelling (total)
    /// throws `operation_aborted` and leaves an exchange that can only be dropped.
    [[nodiscard]] boost::asio::awaitable<Result<std::span<const std::string_view>>> next();

    /// What `next` would give without waiting: pieces that came with the head, or the end (empty).
    /// Nothing when it would have to wait. Most whole replies end here.
    [[nodiscard]] std::optional<std::span<const std::string_view>> at_hand();

    /// True once `next` has reported the end.
    [[nodiscard]] bool ended() const;
    /// The end of the body was the end of the connection, which proves nothing.
    [[nodiscard]] bool ended_by_close() const;

  private:
    struct Impl;
    explicit Exchange(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// Closes the calling worker's idle connections to backends that a reload has taken away.
/// Thread: a worker.
void drop_retired_connections();
/// Closes all idle connections of all workers, each before it next wants one. Thread: any.
void flush_all_connections();

}  // namespace ollama_proxy::upstream
