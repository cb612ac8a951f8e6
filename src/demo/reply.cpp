#include "demo/reply.hpp"

#include "demo/wall_clock.hpp"

#include <array>

namespace ollama_proxy::demo {

namespace {

std::string_view reason_of(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 400:
            return "Bad Request";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 429:
            return "Too Many Requests";
        case 503:
            return "Service Unavailable";
        default:
            return "Internal Server Error";
    }
}

void append_date(std::string& out) {
    // The line changes once a second and is asked for a hundred thousand times in it.
    thread_local std::time_t rendered_at = 0;
    thread_local std::string line;
    const auto now = std::chrono::system_clock::now();
    const std::time_t second = std::chrono::system_clock::to_time_t(now);
    if (second != rendered_at) {
        rendered_at = second;
        line = "Date: " + http_date(now) + "\r\n";
    }
    out += line;
}

std::string_view openai_type(int status) {
    if (status == 404) return "not_found_error";
    return status >= 400 && status < 500 && status != 429 ? "invalid_request_error" : "api_error";
}

std::string_view anthropic_type(int status) {
    switch (status) {
        case 404:
            return "not_found_error";
        case 429:
            return "rate_limit_error";
        case 503:
            return "overloaded_error";
        default:
            return status < 500 ? "invalid_request_error" : "api_error";
    }
}

}  // namespace

Reply json_reply(const Json& body, int status) {
    Reply reply;
    reply.status = status;
    // A name given by a client may hold any bytes: they are replaced, never thrown over.
    reply.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    return reply;
}

Reply text_reply(std::string_view body, int status) {
    return {status, std::string(body), "text/plain; charset=utf-8", {}};
}

std::string error_body(Family family, int status, std::string_view message) {
    Json error;
    switch (family) {
        case Family::native:
            error["error"] = message;
            break;
        case Family::openai:
            error["error"] = {{"message", message},
                              {"type", openai_type(status)},
                              {"param", nullptr},
                              {"code", nullptr}};
            break;
        case Family::anthropic:
            error["type"] = "error";
            error["error"] = {{"type", anthropic_type(status)}, {"message", message}};
            break;
    }
    return json_reply(error).body;
}

Reply error_reply(Family family, int status, std::string_view message) {
    Reply reply;
    reply.status = status;
    reply.body = error_body(family, status, message);
    if (status == 429) reply.headers = "Retry-After: 1\r\n";
    return reply;
}

Reply model_not_found(Family family, std::string_view model) {
    return error_reply(family, 404, "model '" + std::string(model) + "' not found");
}

void render(std::string& out, const Request& request, const Reply& reply) {
    out.append("HTTP/1.1 ").append(std::to_string(reply.status)).append(" ");
    out.append(reason_of(reply.status)).append("\r\n");
    if (!reply.body.empty()) out.append("Content-Type: ").append(reply.type).append("\r\n");
    append_date(out);
    out.append(reply.headers);
    if (!request.keep_alive) {
        out.append("Connection: close\r\n");
    } else if (request.minor_version == 0) {
        out.append("Connection: keep-alive\r\n");
    }
    out.append("Content-Length: ").append(std::to_string(reply.body.size())).append("\r\n\r\n");
    if (request.method != "HEAD") out.append(reply.body);
}

void render_stream_head(std::string& out, const Request& request, std::string_view type) {
    out.append("HTTP/1.1 200 OK\r\nContent-Type: ").append(type).append("\r\n");
    append_date(out);
    if (request.minor_version == 0) {
        out.append("Connection: close\r\n\r\n");
        return;
    }
    if (!request.keep_alive) out.append("Connection: close\r\n");
    out.append("Transfer-Encoding: chunked\r\n\r\n");
}

Chunk::Chunk(std::string& out, const Request& request)
    : out_(out), begin_(out.size()), framed_(request.minor_version != 0) {}

void Chunk::close() {
    const std::size_t size = out_.size() - begin_;
    if (!framed_ || size == 0) return;
    std::array<char, 18> line{};
    std::size_t at = line.size();
    line[--at] = '\n';
    line[--at] = '\r';
    for (std::size_t left = size; left > 0; left >>= 4) line[--at] = "0123456789abcdef"[left & 15];
    out_.insert(begin_, line.data() + at, line.size() - at);
    out_.append("\r\n");
}

void render_stream_end(std::string& out, const Request& request) {
    if (request.minor_version != 0) out.append("0\r\n\r\n");
}

}  // namespace ollama_proxy::demo
