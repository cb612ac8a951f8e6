#pragma once

#include "app/options.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/config/load.hpp"
#include "ollama_proxy/upstream/fetch.hpp"

#include <string>
#include <utility>
#include <vector>

namespace ollama_proxy::app {

/// The URL that the client commands ask: `--url`, else host and port of the configuration (the
/// loopback address where it binds all addresses). The error is a sentence for the user.
[[nodiscard]] Result<std::string> daemon_url(const Options& options,
                                             const config::Environment& environment);

/// Asks a running daemon over HTTP. Blocking, each call for at most ten seconds.
class Client {
  public:
    /// `key` is sent as Bearer unless it is empty. An error says what is wrong with the URL.
    [[nodiscard]] static Result<Client> to(const std::string& url, std::string key);

    [[nodiscard]] const std::string& url() const { return backend_.endpoint.text; }

    using Headers = std::vector<std::pair<std::string, std::string>>;

    /// Any status is an answer. The error says in a sentence that none answers, or what does.
    [[nodiscard]] Result<upstream::FetchReply> get(const std::string& target) const;
    [[nodiscard]] Result<upstream::FetchReply> post(const std::string& target,
                                                    const std::string& body,
                                                    const Headers& headers = {}) const;

  private:
    [[nodiscard]] Result<upstream::FetchReply> ask(const std::string& method,
                                                   const std::string& target,
                                                   const std::string& body,
                                                   const Headers& headers) const;
    config::Backend backend_;
};

}  // namespace ollama_proxy::app
