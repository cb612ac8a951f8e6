#pragma once

#include "grpc/call.hpp"

#include <memory>
#include <vector>

namespace ollama_proxy::grpc_api {

/// The gRPC library's server with our methods, reflection and our limits, on no port of its own.
/// Making one starts its threads; destroying it ends every call and joins them.
/// Thread: control's.
class LibraryServer {
  public:
    /// Nothing when it cannot start. `calls`: one for each worker; all must outlive it.
    static std::unique_ptr<LibraryServer> start(
        std::shared_ptr<Shared> shared, const std::vector<std::unique_ptr<WorkerCalls>>& calls);
    ~LibraryServer();
    LibraryServer(const LibraryServer&) = delete;
    LibraryServer& operator=(const LibraryServer&) = delete;

    /// Takes over a connected, non-blocking socket.
    void take(int descriptor);

  private:
    struct Impl;
    explicit LibraryServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::grpc_api
