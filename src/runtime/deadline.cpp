#include "ollama_proxy/runtime/deadline.hpp"

namespace ollama_proxy::runtime {

void Deadline::expires_at(TimePoint due) {
    due_ = due;
    if (due == kNever) return;
    // a later time is found out when the old one comes; only an earlier one moves in the queue
    if (is_linked() && due >= key_) return;
    unlink_if_linked();
    queue_.insert(*this, due);
}

void Deadline::unlink_if_linked() {
    if (is_linked()) unlink();
}

DeadlineQueue::~DeadlineQueue() { set_.clear(); }

void DeadlineQueue::stop() {
    stopped_ = true;
    timer_.cancel();
}

void DeadlineQueue::insert(Deadline& deadline, TimePoint due) {
    deadline.key_ = due;
    set_.insert(deadline);
    if (due < kernel_at_) set_kernel_timer(due);
}

void DeadlineQueue::set_kernel_timer(TimePoint at) {
    if (stopped_) return;
    kernel_at_ = at;
    timer_.expires_at(at);
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error) on_timer();  // an error means: set anew, or stopped
    });
}

void DeadlineQueue::on_timer() {
    kernel_at_ = kNever;
    const TimePoint now = Clock::now();
    while (!set_.empty() && set_.begin()->key_ <= now) {
        Deadline& deadline = *set_.begin();
        deadline.unlink();
        if (deadline.due_ == kNever) continue;
        if (deadline.due_ <= now) {
            deadline.due_ = kNever;
            deadline.on_expiry_(deadline.argument_);  // may destroy `deadline`
        } else {
            deadline.key_ = deadline.due_;
            set_.insert(deadline);
        }
    }
    if (!set_.empty() && set_.begin()->key_ < kernel_at_) set_kernel_timer(set_.begin()->key_);
}

}  // namespace ollama_proxy::runtime
