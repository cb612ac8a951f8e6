#pragma once

#include "router/admission.hpp"
#include "router/bell.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <memory>

namespace ollama_proxy::router {

/// While it lives a critical request may take the slot of this one back: then `signal` is emitted
/// (total) on the worker. Thread: one worker.
class PreemptionGuard {
  public:
    PreemptionGuard(Admission& admission, const boost::asio::any_io_executor& executor,
                    const Permit& permit, TimePoint since,
                    boost::asio::cancellation_signal& signal);
    PreemptionGuard(const PreemptionGuard&) = delete;
    PreemptionGuard& operator=(const PreemptionGuard&) = delete;
    ~PreemptionGuard();

    /// From here on the slot is kept. False: it was taken back, so give it up and wait again.
    [[nodiscard]] bool keep();

  private:
    Admission& admission_;
    std::shared_ptr<Bell> bell_;
    Preemptible running_;
};

}  // namespace ollama_proxy::router
