#pragma once

#include "http/shared.hpp"
#include "http/websocket/link.hpp"
#include "http/websocket/messages.hpp"
#include "http/websocket/outbox.hpp"
#include "ollama_proxy/router/response_stream.hpp"
#include "ollama_proxy/runtime/task_group.hpp"
#include "ollama_proxy/runtime/worker_pool.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <map>
#include <memory>
#include <string>

namespace ollama_proxy::http {

/// One client on `/v1/stream/ws`: reads its messages, runs its requests side by side, and sends
/// what they give through one outbox. Owned by the coroutine of the connection's Session.
/// Thread: its worker's only.
class WebSocketSession {
  public:
    /// What the handshake said of the client.
    struct Client {
        std::string name;           ///< key name, else address
        std::string authorization;  ///< for backends that are configured to get it
        router::RoutingHints hints;
    };

    WebSocketSession(std::shared_ptr<Shared> shared, boost::asio::ip::tcp::socket& socket,
                     runtime::Worker& worker, Client client);

    /// Serves until the client leaves. Cancelling (total) ends every request with `shutting_down`
    /// and says goodbye; it returns when all that it started has ended.
    [[nodiscard]] boost::asio::awaitable<void> run(Upgrade upgrade, std::string request_id);

    /// The daemon stops: no new requests, goodbye once the running ones are done.
    void drain();

  private:
    /// A request that is being answered; owned by its coroutine.
    struct Active {
        explicit Active(ClientMessage m) : message(std::move(m)), writer(message.request_id) {}

        ClientMessage message;
        AnswerWriter writer;
        TimePoint received = Clock::now();
        router::RouteInfo route;
        access::ByteBudget::Lease lease;
        boost::asio::cancellation_signal cancel;
        std::optional<Errc> stopped;  ///< why it was cancelled: what it tells the client

        std::string text;  ///< not streamed: all of it, up to kMaxCollected bytes
        std::string thinking;
        codec::AnswerSummary summary;
        std::optional<double> energy_j;
        double ttft_ms = -1;
        std::uint64_t bytes_out = 0;
        std::optional<Error> error;
    };

    boost::asio::awaitable<void> read_messages();
    boost::asio::awaitable<void> write_messages();
    void take_message(std::string_view text, access::ByteBudget::Lease lease);
    [[nodiscard]] std::optional<Error> refusal(router::Priority priority);
    void refuse(const std::string& request_id, const Error& error);

    // session_answer.cpp
    boost::asio::awaitable<void> serve(std::unique_ptr<Active> active);
    boost::asio::awaitable<bool> answer(Active& active);
    boost::asio::awaitable<std::optional<Error>> relay(Active& active,
                                                       router::ResponseStream stream);
    [[nodiscard]] std::optional<Error> take_deltas(Active& active,
                                                   std::span<const codec::Delta> deltas);
    void send(Active& active, std::string_view text, std::string_view thinking);
    void finish(Active& active);

    static void stop(Active& active, Errc reason);
    void stop_requests(Errc reason);
    void lost();

    std::shared_ptr<Shared> shared_;
    Client client_;
    runtime::Worker& worker_;
    WebSocketLink link_;
    WebSocketOutbox outbox_;
    Wake over_wake_;
    runtime::TaskGroup tasks_;
    std::map<std::string, Active*, std::less<>> active_;  ///< by request id
    bool over_ = false;      ///< the client is gone, or nothing more is to be read
    bool draining_ = false;  ///< no new requests
};

}  // namespace ollama_proxy::http
