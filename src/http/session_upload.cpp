#include "http/session_upload.hpp"

#include <algorithm>

namespace ollama_proxy::http {
using boost::asio::awaitable;

namespace {

Error gone() { return make_error(Errc::cancelled, "the client left in the middle of its request"); }

}  // namespace

awaitable<Result<std::string_view>> SessionUpload::next() {
    runtime::DisconnectWatch& watch = session_.downstream_.watch();
    watch.disarm();
    piece_.clear();
    if (!continued_) {
        continued_ = true;
        if (!co_await session_.send_continue()) co_return gone();
    }
    while (piece_.empty() && !done_) {
        const std::string_view fresh = session_.downstream_.unread();
        if (fresh.empty() && !at_end()) {
            auto error = co_await session_.more_body();
            if (error) co_return std::move(*error);
            continue;
        }
        take(fresh);
        if (broken_) co_return make_error(Errc::invalid_framing, "malformed chunked body");
    }
    if (piece_.empty()) session_.body_unread_ = false;
    watch.arm_again();
    co_return std::string_view(piece_);
}

std::optional<std::uint64_t> SessionUpload::length() const {
    if (session_.request_.framing != codec::Framing::length) return std::nullopt;
    return session_.request_.content_length;
}

bool SessionUpload::at_end() const {
    return session_.request_.framing == codec::Framing::length &&
           taken_ == session_.request_.content_length;
}

/// Moves the payload at the front of `fresh`, which is what is unread, to the piece.
void SessionUpload::take(std::string_view fresh) {
    if (session_.request_.framing == codec::Framing::length) {
        const std::uint64_t left = session_.request_.content_length - taken_;
        fresh =
            fresh.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, fresh.size())));
        taken_ += fresh.size();
        done_ = taken_ == session_.request_.content_length;
        piece_.assign(fresh);
        session_.downstream_.consume(fresh.size());
        return;
    }
    pieces_.clear();
    const auto step = decoder_.feed(fresh, pieces_);
    broken_ = step.state == codec::ChunkDecoder::State::bad;
    done_ = step.state == codec::ChunkDecoder::State::done;
    for (std::string_view piece : pieces_) piece_.append(piece);
    session_.downstream_.consume(step.consumed);
}

}  // namespace ollama_proxy::http
