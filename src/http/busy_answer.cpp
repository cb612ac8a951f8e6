#include "http/busy_answer.hpp"

#include "http/reply.hpp"
#include "ollama_proxy/common/request_id.hpp"

namespace ollama_proxy::http {

std::string busy_answer() {
    const Reply reply =
        error_reply(codec::ErrorDialect::openai,
                    make_error(Errc::overloaded, "too many connections; try again later"));
    std::string out = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n";
    out += reply.fields;
    append_common(out, {make_request_id(), {}});
    out += "Connection: close\r\nContent-Length: " + std::to_string(reply.body.size());
    out += "\r\n\r\n" + reply.body;
    return out;
}

}  // namespace ollama_proxy::http
