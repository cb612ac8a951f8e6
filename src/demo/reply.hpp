#pragma once

#include "demo/connection.hpp"
#include "demo/json.hpp"

#include <string>
#include <string_view>

namespace ollama_proxy::demo {

/// The families of routes, which differ in how an error looks.
enum class Family {
    native,     ///< {"error":"..."}
    openai,     ///< {"error":{"message","type","param","code"}}
    anthropic,  ///< {"type":"error","error":{"type","message"}}
};

/// A reply whose body is known.
struct Reply {
    int status = 200;
    std::string body;
    std::string_view type = "application/json; charset=utf-8";
    std::string_view headers;  ///< further whole lines
};

[[nodiscard]] Reply json_reply(const Json& body, int status = 200);
[[nodiscard]] Reply text_reply(std::string_view body, int status = 200);
/// The error body alone, as it also appears inside a stream.
[[nodiscard]] std::string error_body(Family family, int status, std::string_view message);
[[nodiscard]] Reply error_reply(Family family, int status, std::string_view message);
[[nodiscard]] Reply model_not_found(Family family, std::string_view model);

/// Appends head and body as they go to the wire (HEAD: the head alone).
void render(std::string& out, const Request& request, const Reply& reply);
/// Appends the head of a stream: chunked, or until close for HTTP/1.0.
void render_stream_head(std::string& out, const Request& request, std::string_view type);

/// One chunk of a stream being rendered at the end of `out`; `close` frames what was added
/// since construction. HTTP/1.0 knows no chunks, then nothing is added.
class Chunk {
  public:
    Chunk(std::string& out, const Request& request);
    void close();

  private:
    std::string& out_;
    std::size_t begin_;
    bool framed_;
};

/// Appends the end of a stream.
void render_stream_end(std::string& out, const Request& request);

}  // namespace ollama_proxy::demo
