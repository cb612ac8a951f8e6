#pragma once

#include "ollama_proxy/codec/delta_decoder.hpp"
#include "ollama_proxy/codec/generation.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/router/request.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::http {

// What goes over `/v1/stream/ws`, both ways. Pure.

/// One message of a client.
struct ClientMessage {
    enum class Kind {
        request,  ///< asks for an answer
        cancel,   ///< ends the answer to `request_id`
    };
    Kind kind = Kind::request;
    std::string request_id;  ///< as the client wrote it; a request without one has it empty
    codec::GenerationRequest generation;
    router::RoutingHints hints;
    bool stream = true;  ///< false: the text comes in one piece
};

/// A message that cannot be served; its id goes into the answer where it could be read.
struct BadMessage {
    std::string request_id;
    Error error;
};
using ReadMessage = boost::system::result<ClientMessage, BadMessage>;
[[noreturn]] void throw_exception_from_error(const BadMessage& bad, const boost::source_location&);

/// Reads a text message. Routing fields are flat or under `annotations` (a flat one wins), on top
/// of `hints`, those of the handshake. Unknown fields are ignored.
[[nodiscard]] ReadMessage read_client_message(std::string_view text,
                                              const router::RoutingHints& hints);

/// Writes the messages of one answer: what all of them share is written once.
class AnswerWriter {
  public:
    /// An empty id is written as null.
    explicit AnswerWriter(std::string_view request_id);

    /// Fixes the time to the first token, which every piece carries.
    void set_first_token(double ttft_ms);

    /// Pieces of text and of reasoning, each of at most 64 KiB of text. Empty text gives none.
    void append_pieces(std::string_view text, std::string_view thinking,
                       std::vector<std::string>& out) const;

    struct Last {
        codec::AnswerSummary summary;
        double total_ms = 0;
        std::string_view backend;
        std::optional<double> energy_j;
    };
    [[nodiscard]] std::string last(const Last& last) const;

    [[nodiscard]] std::string error(const Error& error) const;

  private:
    void append_piece(std::string_view member, std::string_view text,
                      std::vector<std::string>& out) const;

    std::string head_;  ///< {"request_id":"..."
    std::string ttft_;  ///< ,"ttft_ms":12.3
};

}  // namespace ollama_proxy::http
