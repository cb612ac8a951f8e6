#pragma once

#include <cstddef>
#include <sys/types.h>

namespace ollama_proxy::support {

// What /proc says of a process; 0 = this one.

[[nodiscard]] std::size_t resident_bytes(pid_t pid = 0);
[[nodiscard]] std::size_t open_descriptors(pid_t pid = 0);
[[nodiscard]] std::size_t thread_count(pid_t pid = 0);

}  // namespace ollama_proxy::support
