#pragma once

#include "grpc/call.hpp"
#include "grpc/status.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>

namespace ollama_proxy::grpc_api {

/// Between the library, which calls from threads of its own, and the coroutine of the call, which
/// lives on a worker. Everything that the library tells is posted there. Every method, unary or
/// not, is a stream of raw messages to the library, so that the gate decides before the message is
/// read, and the worker parses it. Owns itself from `start()` until the library is done with it.
class Call::Reactor final
    : public ::grpc::ServerBidiReactor<::grpc::ByteBuffer, ::grpc::ByteBuffer>,
      public std::enable_shared_from_this<Call::Reactor> {
  public:
    Reactor(std::shared_ptr<Shared> shared, const Method& method, WorkerCalls& calls,
            ::grpc::CallbackServerContext& context);
    /// Thread: any.
    void start();

    // Thread of the following: the worker's.
    /// Waits for the next message. False: none came, or not in time.
    [[nodiscard]] boost::asio::awaitable<bool> read_message(TimePoint limit);
    [[nodiscard]] const ::grpc::ByteBuffer& message() const { return in_; }
    /// Waits until the transport took the message before this one, and starts to write this one.
    /// False: the one before was not taken, or not in time.
    [[nodiscard]] boost::asio::awaitable<bool> write_message(const ::grpc::ByteBuffer& message,
                                                             TimePoint limit);
    /// Waits until the transport took the last message. False as above.
    [[nodiscard]] boost::asio::awaitable<bool> written(TimePoint limit);
    void set_reply(const ::grpc::ByteBuffer& message);
    /// Ends the call at once, whatever the client takes.
    void abort();

  private:
    // Thread: the library's.
    void OnReadDone(bool ok) override;
    void OnWriteDone(bool ok) override;
    void OnCancel() override;
    void OnDone() override;

    static boost::asio::awaitable<void> run(std::shared_ptr<Reactor> self);
    boost::asio::awaitable<std::optional<Error>> serve();
    boost::asio::awaitable<std::optional<Error>> run_method();
    [[nodiscard]] std::optional<Error> pass_gate();
    boost::asio::awaitable<bool> until_op_ended(TimePoint limit);
    void op_ended(bool ok);
    void begin_answer();
    void finish(const std::optional<Error>& error);
    void note_end(const std::optional<Error>& error, StatusCode status);

    Call call_;
    WorkerCalls& calls_;
    ::grpc::CallbackServerContext& context_;  ///< valid until the call was finished
    ::grpc::ByteBuffer in_;
    ::grpc::ByteBuffer out_;
    boost::asio::cancellation_signal cancel_;
    boost::asio::steady_timer* waiting_ = nullptr;  ///< while an operation is waited for
    bool op_ended_ = false;
    bool op_ok_ = false;
    bool writing_ = false;    ///< a message was given to the library and not yet asked after
    bool cancelled_ = false;  ///< by the client, or its deadline passed
    bool has_reply_ = false;
    bool answer_begun_ = false;
    std::shared_ptr<Reactor> self_;
};

}  // namespace ollama_proxy::grpc_api
