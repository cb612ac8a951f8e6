#include "ollama_proxy/common/request_id.hpp"

#include <algorithm>
#include <cstdint>
#include <random>

namespace ollama_proxy {

bool is_valid_request_id(std::string_view id) {
    return !id.empty() && id.size() <= 128 &&
           std::ranges::all_of(id, [](char c) { return c > 0x20 && c < 0x7f; });
}

void make_request_id(std::string& id) {
    // 100 bits a thread of its own stream: no lock, and no collision in practice
    thread_local std::mt19937_64 engine{[] {
        std::random_device device;
        std::seed_seq seed{device(), device(), device(), device()};
        return std::mt19937_64(seed);
    }()};
    static constexpr char kAlphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    id.assign("req-").resize(24);
    std::uint64_t high = engine();
    std::uint64_t low = engine();
    for (std::size_t i = 0; i < 10; ++i) {
        id[4 + i] = kAlphabet[(high >> (5 * i)) & 31];
        id[14 + i] = kAlphabet[(low >> (5 * i)) & 31];
    }
}

std::string make_request_id() {
    std::string id;
    make_request_id(id);
    return id;
}

}  // namespace ollama_proxy
