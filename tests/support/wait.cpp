#include "support/wait.hpp"

#include <algorithm>
#include <poll.h>

namespace ollama_proxy::support {

bool eventually(const std::function<bool()>& condition, Milliseconds patience) {
    const TimePoint deadline = Clock::now() + patience;
    while (!condition()) {
        if (Clock::now() >= deadline) return false;
        ::poll(nullptr, 0, 2);
    }
    return true;
}

int left_until(TimePoint deadline) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, 3'600'000));
}

}  // namespace ollama_proxy::support
