#include "http/session_upload.hpp"

#include <algorithm>
#include <utility>

namespace ollama_proxy::http {
using boost::asio::awaitable;

namespace {

Error gone() { return make_error(Errc::cancelled, "the client left in the middle of its request"); }

}  // namespace

awaitable<Result<std::string_view>> SessionUpload::next() {
    session_.downstream_.consume(std::exchange(given_, 0));
    if (!continued_) {
        continued_ = true;
        if (!co_await session_.send_continue()) co_return gone();
    }
    for (;;) {
        if (done_) {
            session_.body_unread_ = false;
            co_return std::string_view();
        }
        const std::string_view fresh = session_.downstream_.unread();
        if (fresh.empty() && !at_end()) {
            auto error = co_await session_.more_body();
            if (error) co_return std::move(*error);
            continue;
        }
        const std::string_view piece = take(fresh);
        if (broken_) co_return make_error(Errc::invalid_framing, "malformed chunked body");
        if (!piece.empty()) co_return piece;
    }
}

std::optional<std::uint64_t> SessionUpload::length() const {
    if (session_.request_.framing != codec::Framing::length) return std::nullopt;
    return session_.request_.content_length;
}

bool SessionUpload::at_end() const {
    return session_.request_.framing == codec::Framing::length &&
           taken_ == session_.request_.content_length;
}

/// The next payload in `fresh`; what it took is consumed by the next call.
std::string_view SessionUpload::take(std::string_view fresh) {
    if (session_.request_.framing == codec::Framing::length) {
        const std::uint64_t left = session_.request_.content_length - taken_;
        fresh =
            fresh.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, fresh.size())));
        taken_ += fresh.size();
        done_ = taken_ == session_.request_.content_length;
        given_ = fresh.size();
        return fresh;
    }
    pieces_.clear();
    const auto step = decoder_.feed(fresh, pieces_);
    broken_ = step.state == codec::ChunkDecoder::State::bad;
    done_ = step.state == codec::ChunkDecoder::State::done;
    given_ = step.consumed;
    joined_.clear();
    for (std::string_view piece : pieces_) joined_.append(piece);
    if (joined_.empty()) session_.downstream_.consume(std::exchange(given_, 0));
    return joined_;
}

}  // namespace ollama_proxy::http
