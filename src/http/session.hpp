#pragma once

#include "http/downstream.hpp"
#include "http/reply.hpp"
#include "http/request.hpp"
#include "http/shared.hpp"
#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/router/router.hpp"
#include "ollama_proxy/telemetry/access_log.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/intrusive/list.hpp>

#include <memory>
#include <string>

namespace ollama_proxy::http {

class WebSocketSession;

/// One client connection: request after request, in order. Owned by its coroutine.
/// Thread: its worker's only.
class Session : public boost::intrusive::list_base_hook<
                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    Session(std::shared_ptr<Shared> shared, boost::asio::ip::tcp::socket socket,
            runtime::Worker& worker, boost::asio::cancellation_signal& own);
    ~Session();

    /// Serves until the connection ends. Cancelling (total) ends it; a stream that is running gets
    /// an error event where one fits, a request without an answer a 503.
    [[nodiscard]] boost::asio::awaitable<void> run();

    /// The daemon stops: an idle connection closes now, a WebSocket when its requests are done.
    void drain();
    void close() { downstream_.close(); }

  private:
    friend class SessionUpload;

    /// What becomes of the connection after a request.
    enum class After {
        keep,    ///< the next request may come
        linger,  ///< answered with bytes of the client unread: close so that the answer arrives
        close,   ///< close at once
    };

    // session.cpp: heads, gates, dispatch
    boost::asio::awaitable<bool> read_head(codec::RequestHead& head);
    boost::asio::awaitable<After> refuse_head(const Error& error);
    [[nodiscard]] boost::asio::awaitable<After> serve(const codec::RequestHead& head);
    [[nodiscard]] std::optional<Error> check_gates(Permission& needed);
    [[nodiscard]] std::uint8_t allowed_verbs() const;
    [[nodiscard]] Reply preflight_reply() const;
    boost::asio::awaitable<After> serve_status();
    boost::asio::awaitable<Reply> status_reply();

    // session_body.cpp
    [[nodiscard]] bool take_body_at_hand(std::string& body, ByteBudget::Lease& lease,
                                         bool best_effort);
    boost::asio::awaitable<std::optional<Error>> read_body(std::string& body,
                                                           ByteBudget::Lease& lease,
                                                           bool best_effort);
    boost::asio::awaitable<std::optional<Error>> read_length(std::string& body,
                                                             ByteBudget::Lease& lease,
                                                             unsigned spare);
    boost::asio::awaitable<std::optional<Error>> read_chunked(std::string& body,
                                                              ByteBudget::Lease& lease,
                                                              unsigned spare);
    boost::asio::awaitable<std::optional<Error>> more_body();
    boost::asio::awaitable<bool> send_continue();

    // session_relay.cpp
    [[nodiscard]] std::optional<Error> take_head(const codec::RequestHead& head,
                                                 router::InferenceRequest& request);
    [[nodiscard]] std::optional<Error> take_scan(router::InferenceRequest& request);
    [[nodiscard]] router::RequestContext request_context() const;
    boost::asio::awaitable<After> refuse_early(const Error& error);
    boost::asio::awaitable<After> serve_inference(const codec::RequestHead& head);
    boost::asio::awaitable<After> serve_management(const codec::RequestHead& head, bool is_blob);
    boost::asio::awaitable<After> answer_with(
        boost::asio::awaitable<Result<router::ResponseStream>> source,
        const router::RouteInfo& info);
    boost::asio::awaitable<After> relay(
        boost::asio::awaitable<Result<router::ResponseStream>> source,
        const router::RouteInfo& info);
    boost::asio::awaitable<After> refuse(const Error& error, const router::RouteInfo& info);
    [[nodiscard]] bool send_whole(const router::ResponseStream& answer,
                                  const router::RouteInfo& info, std::string& rest);
    [[nodiscard]] std::string stream_head(const router::ResponseStream& answer,
                                          const router::RouteInfo& info);
    boost::asio::awaitable<After> relay_stream(router::ResponseStream stream, std::string head,
                                               bool chunked);

    // session_keepalive.cpp
    [[nodiscard]] bool comments_while_waiting() const;
    boost::asio::awaitable<Result<router::ResponseStream>> with_comments(
        boost::asio::awaitable<Result<router::ResponseStream>> source,
        const router::RouteInfo& info, std::string& unsent);
    boost::asio::awaitable<void> comment(const router::RouteInfo& info, const bool& over,
                                         std::string& unsent);
    [[nodiscard]] bool send_comment(std::size_t waiting, std::string& unsent);
    [[nodiscard]] bool send_again(std::string& unsent);
    [[nodiscard]] boost::asio::awaitable<After> answer_opened(Result<router::ResponseStream> answer,
                                                              std::string unsent);
    boost::asio::awaitable<After> refuse_opened(Result<router::ResponseStream> answer,
                                                std::string unsent);

    // session_websocket.cpp
    boost::asio::awaitable<After> serve_websocket(const codec::RequestHead& head);
    /// Between two requests, and no byte of the next has come: it can be closed without harm.
    [[nodiscard]] bool is_idle() const { return idle_ && !downstream_.has_arrivals(); }

    // session_explain.cpp
    boost::asio::awaitable<After> serve_explain(const codec::RequestHead& head);
    [[nodiscard]] Result<Reply> explained(router::InferenceRequest& request);

    // session_efficiency.cpp
    boost::asio::awaitable<After> serve_set_efficiency(const codec::RequestHead& head);

    // session_reply.cpp
    boost::asio::awaitable<After> send(Reply reply, const router::RouteInfo* info = nullptr);
    void append_head(std::string& out, int status, std::string_view fields,
                     const router::RouteInfo* info, std::string_view framing);
    [[nodiscard]] std::string head_of(int status, std::string_view fields,
                                      const router::RouteInfo* info, std::string_view framing);
    [[nodiscard]] After after_reply() const;
    void note_error(const Error& error);
    void note_first_byte();
    void finish_record();
    void cut_by_stop(const router::RouteInfo* info = nullptr);

    std::shared_ptr<Shared> shared_;
    boost::asio::cancellation_signal& own_;         ///< cancels this session's coroutine
    std::shared_ptr<const config::Config> config_;  ///< in force when the current request came
    runtime::Worker& worker_;
    Downstream downstream_;
    std::string local_address_;
    std::string peer_address_;
    Request request_;
    CommonFields common_;
    std::string client_;        ///< key name, else address
    TimePoint asked_{};         ///< when the whole request was there
    bool body_unread_ = false;  ///< bytes of the current request's body may still come
    bool stream_open_ = false;  ///< a stream is being sent and stands at a boundary
    bool opened_ = false;       ///< the head of a stream was sent while it waited for its answer
    bool close_after_ = false;  ///< this answer said `Connection: close`
    bool in_hand_ = false;      ///< a request whose record is not finished
    bool last_words_ = false;   ///< a request that was cut got a whole answer, which must arrive
    bool idle_ = true;
    WebSocketSession* websocket_ = nullptr;  ///< has the connection now
    telemetry::AccessRecord record_;
};

}  // namespace ollama_proxy::http
