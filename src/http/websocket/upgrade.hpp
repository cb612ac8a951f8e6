#pragma once

#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/common/error.hpp"

#include <string>

namespace ollama_proxy::http {

/// What a client's handshake says, checked: owned, because the head's bytes go.
struct Upgrade {
    std::string host;
    std::string key;
    std::string extensions;  ///< Sec-WebSocket-Extensions as sent, may be empty
};

/// Reads the opening handshake of RFC 6455 from a GET that has passed the gates. `early_bytes`:
/// bytes came behind the head, which a client must not send before it has the answer.
/// Errors: invalid_request. Pure.
[[nodiscard]] Result<Upgrade> read_upgrade(const codec::RequestHead& head, bool early_bytes);

/// True when a head asks for a WebSocket of a version that is not spoken here, or for none at all:
/// the reply is then 426 and says what to ask for.
[[nodiscard]] bool lacks_upgrade(const codec::RequestHead& head);

}  // namespace ollama_proxy::http
