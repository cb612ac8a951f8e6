#include "ollama_proxy/runtime/task_group.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>

namespace ollama_proxy::runtime {
namespace asio = boost::asio;
namespace {

/// Asio honours only terminal cancellation unless a coroutine asks for more.
asio::awaitable<void> accept_total_cancellation(asio::awaitable<void> task) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_await std::move(task);
}

std::string text_of(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        // what a cancelled co_await throws
        return error.code() == asio::error::operation_aborted ? "" : error.what();
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "unknown exception";
    }
}

}  // namespace

TaskGroup::TaskGroup(asio::any_io_executor executor, FailureHandler on_failure)
    : executor_(std::move(executor)), on_failure_(std::move(on_failure)), empty_(executor_) {}

TaskGroup::~TaskGroup() = default;

bool TaskGroup::spawn(asio::awaitable<void> task) {
    if (closed_) return false;
    start(add(), std::move(task));
    return true;
}

TaskGroup::Entries::iterator TaskGroup::add() {
    ++size_;
    entries_.emplace_back();
    return std::prev(entries_.end());
}

void TaskGroup::start(Entries::iterator entry, asio::awaitable<void> task) {
    auto on_end = [this, entry](std::exception_ptr failure) {
        if (failure) {
            const std::string text = text_of(failure);
            if (!text.empty() && on_failure_) on_failure_(text);
        }
        entries_.erase(entry);
        if (--size_ == 0) empty_.cancel();
    };
    asio::co_spawn(executor_, accept_total_cancellation(std::move(task)),
                   asio::bind_cancellation_slot(entry->signal.slot(), std::move(on_end)));
}

void TaskGroup::cancel(asio::cancellation_type type) {
    // a cancelled task may end within emit() and leave the list
    for (auto it = entries_.begin(); it != entries_.end();) {
        auto next = std::next(it);
        it->signal.emit(type);
        it = next;
    }
}

asio::awaitable<void> TaskGroup::until_empty() {
    while (size_ > 0) {
        empty_.expires_at(asio::steady_timer::time_point::max());
        co_await empty_.async_wait(asio::as_tuple(asio::use_awaitable));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
}

asio::awaitable<void> TaskGroup::until_empty(TimePoint limit) {
    asio::steady_timer timer(executor_);
    while (size_ > 0 && Clock::now() < limit) {
        timer.expires_after(Milliseconds(10));
        co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

}  // namespace ollama_proxy::runtime
