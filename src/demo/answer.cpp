#include "demo/answer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace ollama_proxy::demo {

namespace {

constexpr std::size_t kEchoBytes = 48;
constexpr std::size_t kExactPiece = 6;
constexpr std::array<std::string_view, 17> kFiller = {
    " every", " word", " here",  " is",      " made", " up",   " so",    " that", " routing",
    " can",   " be",   " tried", " without", " a",    " real", " model", ","};

[[nodiscard]] bool inside_character(std::string_view text, std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

std::string_view shortened(std::string_view text) {
    if (text.size() <= kEchoBytes) return text;
    std::size_t end = kEchoBytes;
    while (end > 0 && inside_character(text, end)) --end;
    return text.substr(0, end);
}

}  // namespace

Answer Answer::words(std::string_view server, std::string_view prompt, int natural, int limit) {
    Answer out;
    out.size_ = limit > 0 ? std::min(natural, limit) : natural;
    out.cut_short_ = out.size_ < natural;
    out.head_ = "Simulated answer from ";
    out.head_.append(server).append(" to \"").append(shortened(prompt)).append("\":");
    for (std::size_t i = 1; i <= out.head_.size(); ++i) {
        if (i == out.head_.size() || out.head_[i] == ' ') {
            out.ends_.push_back(static_cast<std::uint32_t>(i));
        }
    }
    return out;
}

Answer Answer::exact(std::string text, int limit) {
    Answer out;
    out.head_ = std::move(text);
    for (std::size_t end = 0; end < out.head_.size();) {
        end = std::min(end + kExactPiece, out.head_.size());
        while (inside_character(out.head_, end)) ++end;
        out.ends_.push_back(static_cast<std::uint32_t>(end));
    }
    const int natural = static_cast<int>(out.ends_.size());
    out.size_ = limit > 0 ? std::min(natural, limit) : natural;
    out.cut_short_ = out.size_ < natural;
    return out;
}

std::string_view Answer::piece(int i) const {
    const auto index = static_cast<std::size_t>(i);
    if (index >= ends_.size()) return kFiller[(index - ends_.size()) % kFiller.size()];
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(head_).substr(begin, ends_[index] - begin);
}

std::string Answer::text() const {
    std::string out;
    for (int i = 0; i < size_; ++i) out += piece(i);
    return out;
}

std::uint64_t stable_hash(std::string_view text) {
    std::uint64_t hash = 14695981039346656037U;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return hash;
}

std::vector<float> embedding_of(std::string_view text, std::size_t dimensions) {
    std::vector<float> out(dimensions);
    std::uint64_t state = stable_hash(text) | 1;
    double squares = 0;
    for (float& value : out) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        value = static_cast<float>(static_cast<double>(state >> 11) / 9007199254740992.0 - 0.5);
        squares += static_cast<double>(value) * static_cast<double>(value);
    }
    const auto length = static_cast<float>(std::sqrt(squares));
    for (float& value : out) value /= length > 0 ? length : 1;
    return out;
}

std::string base64_of(const std::vector<float>& vector) {
    static_assert(std::endian::native == std::endian::little);
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::vector<unsigned char> bytes(vector.size() * sizeof(float));
    if (!bytes.empty()) std::memcpy(bytes.data(), vector.data(), bytes.size());
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
        unsigned group = 0;
        for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < have ? bytes[i + k] : 0U);
        for (std::size_t k = 0; k < 4; ++k) {
            out += k <= have ? kDigits[group >> (18 - 6 * k) & 63] : '=';
        }
    }
    return out;
}

int estimated_tokens(std::size_t bytes) { return static_cast<int>(bytes / 4 + 1); }

}  // namespace ollama_proxy::demo
