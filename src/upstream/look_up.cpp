#include "upstream/look_up.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <optional>
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
    Found() : signal(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    Found(const Found&) = delete;
    Found& operator=(const Found&) = delete;
    ~Found() {
        if (signal >= 0) ::close(signal);
    }

    const int signal;
    std::mutex mutex;
    std::optional<Result<Addresses>> answer;
};

Error cannot(const std::string& host, const std::string& why) {
    return make_error(Errc::upstream_refused, "host '" + host + "' does not resolve: " + why);
}

void find(const std::shared_ptr<Found>& found, const std::string& host, const std::string& port,
          const Lookup& lookup) {
    auto answer = lookup(host, port);
    {
        std::lock_guard lock(found->mutex);
        found->answer = std::move(answer);
    }
    (void)::eventfd_write(found->signal, 1);
}

}  // namespace

Result<Addresses> addresses_of(const std::string& host, const std::string& port) {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
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
    const auto found = std::make_shared<Found>();
    const int mine = found->signal < 0 ? -1 : ::fcntl(found->signal, F_DUPFD_CLOEXEC, 0);
    if (mine < 0) co_return cannot(host, std::generic_category().message(errno));
    asio::posix::stream_descriptor signal(co_await asio::this_coro::executor, mine);
    try {
        std::thread(find, found, host, std::move(port), std::move(lookup)).detach();
    } catch (const std::system_error& error) {
        co_return cannot(host, error.what());
    }
    const auto [cancelled] = co_await signal.async_wait(asio::posix::descriptor_base::wait_read,
                                                        asio::as_tuple(asio::use_awaitable));
    if (cancelled) throw boost::system::system_error(cancelled);
    std::lock_guard lock(found->mutex);
    co_return std::move(*found->answer);
}

}  // namespace ollama_proxy::upstream
