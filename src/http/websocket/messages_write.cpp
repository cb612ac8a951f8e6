#include "http/websocket/messages.hpp"
#include "ollama_proxy/codec/error_body.hpp"
#include "ollama_proxy/codec/json_text.hpp"

#include <charconv>

namespace ollama_proxy::http {
namespace {

/// Text of one piece: a client never has to take more at once.
constexpr std::size_t kMaxPiece = 64 * 1024;

void append_string(std::string& out, std::string_view name, std::string_view text) {
    out.append(",\"").append(name).append("\":");
    codec::append_json_string(out, text);
}

void append_count(std::string& out, std::string_view name, std::uint64_t value) {
    out.append(",\"").append(name).append("\":").append(std::to_string(value));
}

void append_number(std::string& out, std::string_view name, double value) {
    char text[40];
    const auto [end, ec] =
        std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, 3);
    out.append(",\"").append(name).append("\":");
    if (ec == std::errc()) {
        out.append(text, end);
    } else {
        out.append("null");
    }
}

/// The longest front of `text` of at most kMaxPiece bytes that cuts no character.
std::size_t piece_size(std::string_view text) {
    if (text.size() <= kMaxPiece) return text.size();
    std::size_t size = kMaxPiece;
    while (size > kMaxPiece - 4 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
    return size;
}

}  // namespace

AnswerWriter::AnswerWriter(std::string_view request_id) : head_("{\"request_id\":") {
    if (request_id.empty()) {
        head_ += "null";
    } else {
        codec::append_json_string(head_, request_id);
    }
    ttft_ = ",\"ttft_ms\":null";
}

void AnswerWriter::set_first_token(double ttft_ms) {
    ttft_.clear();
    append_number(ttft_, "ttft_ms", ttft_ms);
}

void AnswerWriter::append_piece(std::string_view member, std::string_view text,
                                std::vector<std::string>& out) const {
    while (!text.empty()) {
        const std::size_t size = piece_size(text);
        std::string& piece = out.emplace_back();
        piece.reserve(head_.size() + ttft_.size() + size + 40);
        piece += head_;
        append_string(piece, member, text.substr(0, size));
        piece += ",\"done\":false";
        piece += ttft_;
        piece += '}';
        text.remove_prefix(size);
    }
}

void AnswerWriter::append_pieces(std::string_view text, std::string_view thinking,
                                 std::vector<std::string>& out) const {
    append_piece("thinking", thinking, out);
    append_piece("token", text, out);
}

std::string AnswerWriter::last(const Last& last) const {
    std::string out = head_;
    out += ",\"token\":\"\",\"done\":true";
    append_count(out, "total_tokens", last.summary.tokens());
    if (last.summary.estimated()) out += ",\"estimated\":true";
    if (last.summary.prompt_tokens) append_count(out, "prompt_tokens", *last.summary.prompt_tokens);
    append_number(out, "total_duration_ms", last.total_ms);
    out += ttft_;
    append_string(out, "backend_id", last.backend);
    if (last.summary.finish_reason.empty()) {
        out += ",\"finish_reason\":null";
    } else {
        append_string(out, "finish_reason", last.summary.finish_reason);
    }
    if (last.energy_j) {
        append_number(out, "energy_j", *last.energy_j);
    } else {
        out += ",\"energy_j\":null";
    }
    out += '}';
    return out;
}

std::string AnswerWriter::error(const Error& error) const {
    std::string out = head_;
    append_string(out, "error", codec::valid_utf8(error.message));
    append_string(out, "code", codec::code_name(error.code));
    if (error.retry_after_s > 0) {
        append_count(out, "retry_after_s", static_cast<std::uint64_t>(error.retry_after_s));
    }
    out += ",\"done\":true}";
    return out;
}

}  // namespace ollama_proxy::http
