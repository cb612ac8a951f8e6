#pragma once

#include <cstddef>
#include <sys/types.h>
#include <vector>

namespace ollama_proxy::grpc_api {

/// The connections that were handed to the library, which does not tell when it closes one: a
/// descriptor that is no more the socket that it was has been closed. Thread: control's.
class Connections {
  public:
    void add(int descriptor);
    /// Forgets those that were closed; how many.
    std::size_t sweep();
    [[nodiscard]] std::size_t size() const { return open_.size(); }

  private:
    struct Entry {
        int descriptor;
        ino_t socket;
    };
    std::vector<Entry> open_;
};

}  // namespace ollama_proxy::grpc_api
