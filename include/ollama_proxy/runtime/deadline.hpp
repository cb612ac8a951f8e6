#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/set.hpp>

namespace ollama_proxy::runtime {

class DeadlineQueue;

/// One timeout of a connection, moved thousands of times without touching the kernel: a later
/// `expires_at` only stores a number. `on_expiry` runs on the worker, at most once per arming.
/// Thread: the worker's only. Destroying it disarms it.
class Deadline : public boost::intrusive::set_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    using Callback = void (*)(void*);

    Deadline(DeadlineQueue& queue, Callback on_expiry, void* argument)
        : queue_(queue), on_expiry_(on_expiry), argument_(argument) {}
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    void expires_at(TimePoint due);
    void expires_after(Clock::duration d) { expires_at(Clock::now() + d); }
    void disarm() { due_ = kNever; }
    [[nodiscard]] bool armed() const { return due_ != kNever; }

  private:
    friend class DeadlineQueue;
    void unlink_if_linked();

    DeadlineQueue& queue_;
    Callback on_expiry_;
    void* argument_;
    TimePoint due_ = kNever;  ///< when it is meant to fire
    TimePoint key_ = kNever;  ///< where it stands in the queue; never later than due_
};

/// All deadlines of one worker over one kernel timer, which is set again only when something
/// earlier comes, and not at all while nothing is armed. Thread: the worker's only.
class DeadlineQueue {
  public:
    explicit DeadlineQueue(boost::asio::io_context& context) : timer_(context) {}
    ~DeadlineQueue();
    /// Cancels the kernel timer, so that the worker's context can run out of work.
    void stop();

  private:
    friend class Deadline;
    struct ByKey {
        bool operator()(const Deadline& a, const Deadline& b) const { return a.key_ < b.key_; }
    };
    using Set = boost::intrusive::multiset<Deadline, boost::intrusive::compare<ByKey>,
                                           boost::intrusive::constant_time_size<false>>;

    void insert(Deadline& deadline, TimePoint due);
    void set_kernel_timer(TimePoint at);
    void on_timer();

    boost::asio::steady_timer timer_;
    Set set_;
    TimePoint kernel_at_ = kNever;
    bool stopped_ = false;
};

}  // namespace ollama_proxy::runtime
