#include "router/preemption.hpp"

namespace ollama_proxy::router {

PreemptionGuard::PreemptionGuard(Admission& admission, const boost::asio::any_io_executor& executor,
                                 const Permit& permit, TimePoint since,
                                 boost::asio::cancellation_signal& signal)
    : admission_(admission), bell_(std::make_shared<Bell>(executor)) {
    bell_->rung = [&signal] { signal.emit(boost::asio::cancellation_type::total); };
    running_.backend = permit.slot().backend;
    running_.model = permit.slot().model;
    running_.since = since;
    running_.bell = bell_;
    admission_.core_.offer(running_);
}

PreemptionGuard::~PreemptionGuard() {
    bell_->rung = nullptr;
    (void)keep();
}

bool PreemptionGuard::keep() { return admission_.core_.withdraw(running_); }

}  // namespace ollama_proxy::router
