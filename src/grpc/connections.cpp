#include "grpc/connections.hpp"

#include <sys/stat.h>

namespace ollama_proxy::grpc_api {
namespace {

/// Which socket a descriptor is; 0 for none. The kernel gives each socket a number of its own.
ino_t socket_of(int descriptor) {
    struct stat facts{};
    if (::fstat(descriptor, &facts) != 0 || !S_ISSOCK(facts.st_mode)) return 0;
    return facts.st_ino;
}

}  // namespace

void Connections::add(int descriptor) { open_.push_back({descriptor, socket_of(descriptor)}); }

std::size_t Connections::sweep() {
    return std::erase_if(
        open_, [](const Entry& entry) { return socket_of(entry.descriptor) != entry.socket; });
}

}  // namespace ollama_proxy::grpc_api
