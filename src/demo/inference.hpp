#pragma once

#include "demo/job.hpp"
#include "demo/renderer.hpp"
#include "demo/state.hpp"

#include <boost/asio/awaitable.hpp>

namespace ollama_proxy::demo {

/// Answers one inference request at the pace of the settings, faults included. One object per
/// answer; counts it in `State`. Cancelling `run` leaves the connection fit only for closing.
class Inference {
  public:
    /// `request` and `connection` must outlive it.
    Inference(State& state, Connection& connection, const Request& request, Job job);
    ~Inference();
    Inference(const Inference&) = delete;
    Inference& operator=(const Inference&) = delete;

    /// True when the connection may carry another request.
    boost::asio::awaitable<bool> run();

  private:
    boost::asio::awaitable<bool> fail_at_once(Fault fault);
    boost::asio::awaitable<bool> stream();
    boost::asio::awaitable<bool> stream_pieces();
    boost::asio::awaitable<bool> full();
    boost::asio::awaitable<bool> break_off();
    /// False once the client has left, which is counted.
    boost::asio::awaitable<bool> wait_until(TimePoint due);
    bool client_left();
    [[nodiscard]] TimePoint due(int piece) const;
    [[nodiscard]] Timing timing() const;

    State& state_;
    Connection& connection_;
    const Request& request_;
    Job job_;
    std::uint64_t number_;
    Fault fault_;
    std::unique_ptr<Renderer> renderer_;
    TimePoint start_;
    TimePoint ready_;       ///< the model is loaded
    TimePoint first_;       ///< the first token is due
    Clock::duration step_;  ///< between tokens
};

/// Loads or unloads the model, for a request without a prompt.
boost::asio::awaitable<bool> load_only(State& state, Connection& connection, const Request& request,
                                       const Job& job);

}  // namespace ollama_proxy::demo
