#include "dbus/bus_link.hpp"

#include "ollama_proxy/telemetry/log.hpp"

#include <boost/asio/post.hpp>

#include <condition_variable>
#include <fcntl.h>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace ollama_proxy::dbus {
namespace asio = boost::asio;
using asio::posix::stream_descriptor;

namespace {

/// Messages handled before others of this thread get their turn.
constexpr int kBatch = 64;
/// A bus that lives has answered by then; one that hangs delays the end by no more than this.
constexpr Milliseconds kMoment{200};

/// A descriptor of our own for one of the library's: Asio closes what it is given.
void assign_copy(stream_descriptor& descriptor, int fd) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy >= 0) descriptor.assign(copy);
}

}  // namespace

/// What is waited for on behalf of one connection; handlers that come late find `link` null.
struct BusLink::Waits {
    Waits(BusLink& owner, asio::io_context& context)
        : link(&owner), socket(context), events(context), timer(context) {}

    BusLink* link;
    stream_descriptor socket;
    stream_descriptor events;
    asio::steady_timer timer;
    bool reading = false;
    bool writing = false;
    bool reading_events = false;
};

/// A thread that opens the bus and whoever it does it for, who may be gone when it is done.
struct BusLink::Opening : std::enable_shared_from_this<Opening> {
    explicit Opening(BusLink& owner) : link(&owner) {}

    /// Bus thread: nobody waits for the outcome any more, and for the thread but a moment.
    void leave() {
        std::unique_lock lock(mutex);
        link = nullptr;
        over.wait_for(lock, kMoment, [this] { return is_over; });
    }
    /// The opening thread: the last that it does.
    void end() {
        std::lock_guard lock(mutex);
        is_over = true;
        over.notify_all();
    }
    // the opening thread; the context lives as long as `link` is there
    void deliver(std::unique_ptr<sdbus::IConnection> connection) {
        std::lock_guard lock(mutex);
        if (!link) return;
        auto shared = std::make_shared<std::unique_ptr<sdbus::IConnection>>(std::move(connection));
        asio::post(link->context_, [self = shared_from_this(), shared] {
            if (BusLink* const owner = self->finish()) owner->opened(std::move(*shared));
        });
    }
    void fail(const std::string& why) {
        std::lock_guard lock(mutex);
        if (!link) return;
        asio::post(link->context_, [self = shared_from_this(), why] {
            if (BusLink* const owner = self->finish()) owner->lose(why);
        });
    }
    /// Bus thread: whom it was for; null when that has stopped.
    BusLink* finish() {
        std::lock_guard lock(mutex);
        if (link) link->opening_.reset();
        return link;
    }

    std::mutex mutex;
    std::condition_variable over;
    BusLink* link;
    bool is_over = false;
};

BusLink::BusLink(asio::io_context& context, std::string name, Open open, Owner owner)
    : context_(context),
      name_(std::move(name)),
      open_(open),
      owner_(std::move(owner)),
      retry_(context) {}

BusLink::~BusLink() { stop(); }

void BusLink::stop() {
    stopped_ = true;
    retry_.cancel();
    if (const auto opening = std::exchange(opening_, nullptr)) opening->leave();
    drop();
}

void BusLink::drop() {
    if (waits_) {
        waits_->link = nullptr;
        waits_->socket.close();
        waits_->events.close();
        waits_->timer.cancel();
        waits_.reset();
    }
    if (!connection_) return;
    owner_.down();
    give_up_unsent(*connection_);
    connection_.reset();
}

void BusLink::connect() {
    if (stopped_) return;
    opening_ = std::make_shared<Opening>(*this);
    std::thread([opening = opening_, open = open_] {
        pthread_setname_np(pthread_self(), "dbus-open");
        try {
            opening->deliver(open());
        } catch (const sdbus::Error& error) {
            opening->fail(error.getMessage());
        }
        opening->end();
    }).detach();
}

void BusLink::opened(std::unique_ptr<sdbus::IConnection> connection) {
    connection_ = std::move(connection);
    try {
        waits_ = std::make_shared<Waits>(*this, context_);
        const PollWish wish = poll_wish(*connection_);
        assign_copy(waits_->socket, wish.fd);
        if (wish.event_fd >= 0) assign_copy(waits_->events, wish.event_fd);
        owner_.up(*connection_);
    } catch (const sdbus::Error& error) {
        lose(error.getMessage());
        return;
    }
    backoff_.reset();
    if (complained_) telemetry::log_info(name_ + " is there", {});
    was_up_ = true;
    complained_ = false;
    pump();
}

void BusLink::pump() {
    if (!connection_) return;
    try {
        for (int i = 0; i < kBatch; ++i) {
            if (process(*connection_)) continue;
            arm();
            return;
        }
    } catch (const sdbus::Error& error) {
        lose(error.getMessage());
        return;
    }
    asio::post(context_, [waits = waits_] {
        if (waits->link) waits->link->pump();
    });
}

void BusLink::arm() {
    const PollWish wish = poll_wish(*connection_);
    const auto wait = [this](stream_descriptor& descriptor, stream_descriptor::wait_type what,
                             bool Waits::* pending) {
        if (std::exchange((*waits_).*pending, true)) return;
        descriptor.async_wait(what, [waits = waits_, pending](const auto& error) {
            (*waits).*pending = false;
            if (!error && waits->link) waits->link->pump();
        });
    };
    wait(waits_->socket, stream_descriptor::wait_read, &Waits::reading);
    if (wish.wants_write) wait(waits_->socket, stream_descriptor::wait_write, &Waits::writing);
    if (wish.event_fd >= 0) {
        wait(waits_->events, stream_descriptor::wait_read, &Waits::reading_events);
    }
    if (!wish.timeout) {
        waits_->timer.cancel();
        return;
    }
    waits_->timer.expires_after(*wish.timeout);
    waits_->timer.async_wait([waits = waits_](const auto& error) {
        if (!error && waits->link) waits->link->pump();
    });
}

void BusLink::use(const std::function<void(sdbus::IConnection&)>& action) {
    if (!connection_) return;
    try {
        action(*connection_);
        arm();
    } catch (const sdbus::Error& error) {
        // later: this may run inside a message of the very connection
        asio::post(context_, [waits = waits_, why = error.getMessage()] {
            if (waits->link) waits->link->lose(why);
        });
    }
}

void BusLink::lose(const std::string& why) {
    if (!complained_) {
        const char* what = was_up_ ? " is lost, trying to come back" : " cannot be reached";
        telemetry::log(was_up_ ? config::LogLevel::warn : config::LogLevel::info, name_ + what,
                       {{"error", why}});
        complained_ = true;
    }
    drop();
    retry_later();
}

void BusLink::retry_later() {
    if (stopped_) return;
    retry_.expires_after(backoff_.next());
    retry_.async_wait([this](const boost::system::error_code& error) {
        if (!error) connect();
    });
}

}  // namespace ollama_proxy::dbus
