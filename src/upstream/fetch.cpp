#include "ollama_proxy/upstream/fetch.hpp"

#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/runtime/with_timeout.hpp"
#include "upstream/connection.hpp"
#include "upstream/look_up.hpp"
#include "upstream/request_head.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <vector>

namespace ollama_proxy::upstream {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;

namespace {

constexpr codec::HeadLimits kHeadLimits{64 * 1024, 200, 8192};
constexpr std::size_t kMaxBody = 16 * 1024 * 1024;
constexpr std::size_t kReadSize = 16 * 1024;

Error broken(const config::Backend& backend, std::string_view what) {
    return make_error(Errc::bad_gateway, "backend '" + backend.id +
                                             "' answered a probe wrongly: " + std::string(what));
}

/// The answer to one request on a connection that is used once.
class ReplyReader {
  public:
    ReplyReader(const config::Backend& backend, std::string_view method)
        : backend_(backend), method_(method) {}

    /// Takes the next bytes; an empty view is the end of the connection. True when complete.
    Result<bool> feed(std::string_view bytes) {
        if (bytes.empty()) {
            if (has_head_ && framing_ == codec::Framing::until_close) return true;
            return broken(backend_, "it closed the connection too early");
        }
        if (has_head_) return body(bytes);
        buffer_.append(bytes);
        codec::ResponseHead head;
        const auto outcome = codec::parse_response_head(buffer_, kHeadLimits, method_, head);
        if (outcome.state == codec::HeadState::refused) return broken(backend_, outcome.why);
        if (outcome.state == codec::HeadState::need_more) return false;
        has_head_ = true;
        reply.status = head.status;
        framing_ = head.framing;
        left_ = head.content_length;
        const std::string rest = buffer_.substr(head.size);
        return body(rest);
    }

    FetchReply reply;

  private:
    Result<bool> body(std::string_view bytes) {
        if (reply.body.size() + bytes.size() > kMaxBody) return broken(backend_, "over 16 MiB");
        switch (framing_) {
            case codec::Framing::none:
                return true;
            case codec::Framing::until_close:
                reply.body.append(bytes);
                return false;
            case codec::Framing::length:
                bytes = bytes.substr(0, static_cast<std::size_t>(left_));
                reply.body.append(bytes);
                left_ -= bytes.size();
                return left_ == 0;
            case codec::Framing::chunked:
                pieces_.clear();
                const auto step = chunks_.feed(bytes, pieces_);
                for (std::string_view piece : pieces_) reply.body.append(piece);
                if (step.state == codec::ChunkDecoder::State::bad) {
                    return broken(backend_, "chunk framing broken");
                }
                return step.state == codec::ChunkDecoder::State::done;
        }
        return broken(backend_, "unknown framing");
    }

    const config::Backend& backend_;
    std::string_view method_;
    std::string buffer_;
    bool has_head_ = false;
    codec::Framing framing_ = codec::Framing::none;
    std::uint64_t left_ = 0;
    codec::ChunkDecoder chunks_;
    std::vector<std::string_view> pieces_;
};

awaitable<Result<FetchReply>> exchange(const config::Backend& backend,
                                       const std::vector<tcp::endpoint>& addresses,
                                       std::string method, std::string target, std::string body) {
    Connection connection(co_await asio::this_coro::executor);
    auto error = co_await connection.connect(backend, addresses);
    if (error) {
        co_return make_error(Errc::upstream_refused,
                             "backend '" + backend.id + "' cannot be reached: " + error.message());
    }
    UpstreamRequest request;
    request.method = method;
    request.target = target;
    request.fields = body.empty() ? "Connection: close\r\n"
                                  : "Connection: close\r\nContent-Type: application/json\r\n";
    request.body = body;
    std::string head;
    append_request_head(head, backend, request);
    bool peer_spoke = false;
    error = co_await connection.write(head, body, peer_spoke);
    ReplyReader reader(backend, method);
    std::vector<char> buffer(kReadSize);
    for (;;) {
        auto [failed, n] = co_await connection.read(asio::buffer(buffer), true);
        if (failed) co_return broken(backend, failed.message());
        auto complete = reader.feed({buffer.data(), n});
        if (!complete) co_return complete.error();
        if (*complete) co_return std::move(reader.reply);
    }
}

}  // namespace

awaitable<Result<FetchReply>> fetch(const config::Backend& backend,
                                    const std::vector<tcp::endpoint>& addresses, std::string method,
                                    std::string target, std::string body,
                                    std::chrono::milliseconds timeout) {
    auto operation =
        exchange(backend, addresses, std::move(method), std::move(target), std::move(body));
    auto reply = co_await runtime::with_timeout(std::move(operation), timeout);
    if (!reply) {
        co_return make_error(Errc::upstream_timeout,
                             "backend '" + backend.id + "' did not answer a probe in time");
    }
    co_return std::move(*reply);
}

awaitable<Result<std::vector<tcp::endpoint>>> resolve(const config::Endpoint& endpoint,
                                                      std::chrono::milliseconds timeout) {
    if (auto known = known_addresses(endpoint); !known.empty()) co_return known;
    auto operation = look_up(endpoint.host, std::to_string(endpoint.port));
    auto found = co_await runtime::with_timeout(std::move(operation), timeout);
    if (!found) {
        co_return make_error(Errc::upstream_timeout,
                             "host '" + endpoint.host + "' does not resolve in time");
    }
    co_return std::move(*found);
}

}  // namespace ollama_proxy::upstream
