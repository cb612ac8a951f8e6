#include "upstream/look_up.hpp"

#include "ollama_proxy/common/descriptor.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <optional>
#include <pthread.h>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace ollama_proxy::upstream {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

/// What the waiting coroutine and the thread share; whoever goes last takes it along. The
/// descriptor and not the executor tells that the answer is there: the executor may be gone by
/// then.
struct Found {
    const Descriptor signal{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::mutex mutex;
    std::optional<Result<Addresses>> answer;
};

/// The look-ups that run, by host and port. Never destroyed: a thread that is left behind may end
/// while the process does.
struct Running {
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<Found>> all;
};

Running& running() {
    static auto& only = *new Running;
    return only;
}

Error cannot(const std::string& host, const std::string& why) {
    return make_error(Errc::upstream_refused, "host '" + host + "' does not resolve: " + why);
}

void find(const std::shared_ptr<Found>& found, const std::string& host, const std::string& port,
          const Lookup& lookup) {
    pthread_setname_np(pthread_self(), "look-up");
    auto answer = lookup(host, port);
    {
        std::lock_guard lock(running().mutex);
        running().all.erase(host + ' ' + port);
    }
    {
        std::lock_guard lock(found->mutex);
        found->answer = std::move(answer);
    }
    // never read: everybody who waits sees it
    (void)::eventfd_write(found->signal.get(), 1);
}

/// The look-up that runs for this name, or one that begins now. Throws std::system_error.
std::shared_ptr<Found> begin(const std::string& host, const std::string& port,
                             const Lookup& lookup) {
    std::lock_guard lock(running().mutex);
    const auto [at, fresh] = running().all.try_emplace(host + ' ' + port);
    if (!fresh) return at->second;
    const auto found = std::make_shared<Found>();
    at->second = found;
    try {
        if (!found->signal.is_open()) throw std::system_error(errno, std::generic_category());
        std::thread(find, found, host, port, lookup).detach();
    } catch (...) {
        running().all.erase(at);
        throw;
    }
    return found;
}

}  // namespace

Addresses known_addresses(const config::Endpoint& endpoint) {
    namespace ip = asio::ip;
    if (endpoint.host == "localhost") {
        return {tcp::endpoint(ip::address_v4::loopback(), endpoint.port),
                tcp::endpoint(ip::address_v6::loopback(), endpoint.port)};
    }
    boost::system::error_code error;
    const auto address = ip::make_address(endpoint.host, error);
    if (error) return {};
    return {tcp::endpoint(address, endpoint.port)};
}

Result<Addresses> addresses_of(const std::string& host, const std::string& port) {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    // without AI_ADDRCONFIG, for which loopback addresses do not count
    wanted.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &wanted, &list);
    if (failed != 0) {
        return cannot(host, failed == EAI_SYSTEM ? std::generic_category().message(errno)
                                                 : ::gai_strerror(failed));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(list, &::freeaddrinfo);
    Addresses out;
    for (const addrinfo* one = list; one; one = one->ai_next) {
        tcp::endpoint endpoint;
        if (one->ai_addrlen > endpoint.capacity()) continue;
        endpoint.resize(one->ai_addrlen);
        std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
        out.push_back(endpoint);
    }
    return out;
}

asio::awaitable<Result<Addresses>> look_up(std::string host, std::string port, Lookup lookup) {
    std::shared_ptr<Found> found;
    try {
        found = begin(host, port, lookup);
    } catch (const std::system_error& error) {
        co_return cannot(host, error.what());
    }
    const int mine = ::fcntl(found->signal.get(), F_DUPFD_CLOEXEC, 0);
    if (mine < 0) co_return cannot(host, std::generic_category().message(errno));
    asio::posix::stream_descriptor signal(co_await asio::this_coro::executor, mine);
    const auto [cancelled] = co_await signal.async_wait(asio::posix::descriptor_base::wait_read,
                                                        asio::as_tuple(asio::use_awaitable));
    if (cancelled) throw boost::system::system_error(cancelled);
    std::lock_guard lock(found->mutex);
    co_return *found->answer;
}

}  // namespace ollama_proxy::upstream
