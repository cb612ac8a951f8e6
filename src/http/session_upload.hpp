#pragma once

#include "http/session.hpp"
#include "ollama_proxy/codec/http1.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::http {

/// The client's upload (a blob) as a source for the backend: pulled as it is sent on, so a slow
/// backend slows the client down and nothing is held. While a piece is being sent, and once all of
/// them are, the connection's watch sees the client leave: it reads into the session's buffer, so
/// pieces are no views into that. Thread: the session's worker.
class SessionUpload : public router::UploadSource {
  public:
    explicit SessionUpload(Session& session) : session_(session) {}

    boost::asio::awaitable<Result<std::string_view>> next() override;
    [[nodiscard]] std::optional<std::uint64_t> length() const override;

  private:
    [[nodiscard]] bool at_end() const;
    void take(std::string_view fresh);

    Session& session_;
    std::uint64_t taken_ = 0;
    bool continued_ = false;
    bool done_ = false;
    bool broken_ = false;
    codec::ChunkDecoder decoder_;
    std::vector<std::string_view> pieces_;
    std::string piece_;  ///< the one that was given last
};

}  // namespace ollama_proxy::http
