#include "router/swap_cost.hpp"

#include <algorithm>

namespace ollama_proxy::router {

double swap_cost(double bytes, double room, double in_use) {
    if (bytes <= 0) return 0;
    const double beside = std::max(0.0, room - in_use);
    return std::clamp((std::min(bytes, room) - beside) / bytes, 0.0, 1.0);
}

}  // namespace ollama_proxy::router
