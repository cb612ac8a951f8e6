#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <mutex>
#include <utility>

namespace ollama_proxy::upstream {

/// Lets one coroutine wait, on its own executor, for something that another thread finishes.
/// Neither side needs the other to live on: a waiter that was cancelled or destroyed is not
/// touched any more, and its executor is used only while it waits.
class Rendezvous : public std::enable_shared_from_this<Rendezvous> {
  public:
    /// Wakes the waiter, now or when it comes. Any thread, any number of times.
    void finish();

    /// Waits until `finish` or the deadline. One waiter. Cancelling it ends the waiting alone.
    [[nodiscard]] static boost::asio::awaitable<void> wait(std::shared_ptr<Rendezvous> self,
                                                           TimePoint deadline);

  private:
    /// The waiter's timer is known to the other side exactly as long as this lives.
    class Registration {
      public:
        Registration(Rendezvous& owner, boost::asio::steady_timer& timer);
        ~Registration();
        Registration(const Registration&) = delete;
        Registration& operator=(const Registration&) = delete;
        [[nodiscard]] bool finished() const { return finished_; }

      private:
        Rendezvous& owner_;
        bool finished_ = false;
    };

    std::mutex mutex_;
    bool finished_ = false;
    boost::asio::steady_timer* timer_ = nullptr;  ///< while somebody waits
};

/// The wish of one waiter, held by everybody who works on it: when the last one lets go, or one
/// says `enough`, the waiter goes on.
class Wish {
  public:
    explicit Wish(std::shared_ptr<Rendezvous> waiter) : waiter_(std::move(waiter)) {}
    ~Wish() { waiter_->finish(); }
    Wish(const Wish&) = delete;
    Wish& operator=(const Wish&) = delete;

    void enough() { waiter_->finish(); }

  private:
    std::shared_ptr<Rendezvous> waiter_;
};

}  // namespace ollama_proxy::upstream
