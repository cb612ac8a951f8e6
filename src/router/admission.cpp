#include "router/admission.hpp"

#include "router/bell.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace ollama_proxy::router {
namespace asio = boost::asio;

namespace {

Error stopping() {
    Error error = make_error(Errc::shutting_down, "the proxy is shutting down");
    error.retry_after_s = 1;
    return error;
}

}  // namespace

Permit& Permit::operator=(Permit&& other) noexcept {
    if (this == &other) return *this;
    release();
    admission_ = std::exchange(other.admission_, nullptr);
    slot_ = other.slot_;
    since_ = other.since_;
    return *this;
}

void Permit::release(TimePoint now) {
    Admission* admission = std::exchange(admission_, nullptr);
    if (!admission) return;
    AdmissionCore::Bells bells;
    admission->core_.release(slot_, now - since_, now, bells);
    admission->ring(bells);
}

void Admission::ring(AdmissionCore::Bells& bells) {
    for (auto& one : bells) {
        auto bell = std::static_pointer_cast<Bell>(std::move(one));
        const auto executor = bell->timer.get_executor();
        asio::post(executor, [bell = std::move(bell)] {
            if (bell->rung) bell->rung();
        });
    }
    bells.clear();
}

void Admission::configure(const config::Queue& settings) {
    core_.configure(settings);
    reconsider();
}

void Admission::limit(std::optional<int> at_once) {
    core_.limit(at_once ? std::optional(static_cast<std::size_t>(std::max(1, *at_once)))
                        : std::nullopt);
}

std::optional<Permit> Admission::try_acquire(const Place& place, Priority level, TimePoint now) {
    AdmissionCore::Bells bells;
    auto slot = core_.try_take(place, level, now, bells);
    if (!bells.empty()) ring(bells);
    if (!slot) return std::nullopt;
    return Permit(*this, *slot, now);
}

void Admission::reconsider(std::string_view backend) {
    AdmissionCore::Bells bells;
    core_.ask_again(backend, bells);
    ring(bells);
}

void Admission::close() {
    AdmissionCore::Bells bells;
    core_.close(bells);
    ring(bells);
}

Stay::Stay(Admission& admission, const asio::any_io_executor& executor, const Applicant& applicant)
    : admission_(admission),
      waiter_(applicant.level, applicant.client, applicant.since, applicant.ticket) {
    auto bell = std::make_shared<Bell>(executor);
    bell->rung = [timer = &bell->timer] { timer->cancel(); };
    waiter_.bell = std::move(bell);
}

Stay::~Stay() {
    std::static_pointer_cast<Bell>(waiter_.bell)->rung = nullptr;
    AdmissionCore::Bells bells;
    admission_.core_.leave(waiter_, Clock::now(), bells);
    admission_.ring(bells);
}

Result<void> Stay::enter(std::span<const Place> places, bool returning) {
    AdmissionCore::Bells bells;
    const WaitState state = admission_.core_.enter(waiter_, places, returning, Clock::now(), bells);
    admission_.ring(bells);
    if (state == WaitState::closed) return stopping();
    if (state != WaitState::outside) return {};
    return busy("every backend is busy and the queue is full (" +
                std::to_string(admission_.waiting()) + " waiting); try again later");
}

bool Stay::replace(std::span<const Place> places) {
    AdmissionCore::Bells bells;
    const bool replaced = admission_.core_.replace(waiter_, places, Clock::now(), bells);
    admission_.ring(bells);
    return replaced;
}

Error Stay::busy(std::string message) const {
    Error error = make_error(Errc::queue_full, std::move(message));
    error.retry_after_s = admission_.core_.retry_after_s(Clock::now());
    return error;
}

asio::awaitable<Result<std::optional<Admitted>>> Stay::wait(TimePoint limit, TimePoint look_again) {
    const auto bell = std::static_pointer_cast<Bell>(waiter_.bell);
    for (;;) {
        AdmissionCore::Standing standing = admission_.core_.claim(waiter_);
        if (standing.state == WaitState::granted) {
            Permit permit(admission_, standing.slot, Clock::now());
            co_return std::optional(Admitted{std::move(permit), standing.place});
        }
        if (standing.state == WaitState::closed) co_return stopping();
        if (standing.state == WaitState::evicted) {
            co_return busy("the queue is full, and others came first; try again later");
        }
        const TimePoint now = Clock::now();
        if (now >= limit) {
            const auto waited = std::chrono::duration_cast<Milliseconds>(now - waiter_.since);
            Error late = make_error(Errc::queue_timeout, "no backend was free within " +
                                                             std::to_string(waited.count()) +
                                                             " ms; try again later");
            late.retry_after_s = admission_.core_.retry_after_s(now);
            co_return late;
        }
        if (standing.asked_again || now >= look_again) co_return std::optional<Admitted>();
        bell->timer.expires_at(std::min(limit, look_again));
        co_await bell->timer.async_wait(asio::as_tuple(asio::use_awaitable));
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none) {
            co_return make_error(Errc::cancelled, "the client left while waiting");
        }
    }
}

}  // namespace ollama_proxy::router
