#include "upstream/request_head.hpp"

namespace ollama_proxy::upstream {
namespace {

void add(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

void append_host(std::string& out, const config::Endpoint& endpoint) {
    const bool is_v6 = endpoint.host.find(':') != std::string::npos;
    if (is_v6) {
        out.append("[").append(endpoint.host).append("]");
    } else {
        out.append(endpoint.host);
    }
    const int usual = endpoint.tls ? 443 : 80;
    if (endpoint.port != usual) out.append(":").append(std::to_string(endpoint.port));
}

}  // namespace

void append_request_head(std::string& out, const config::Backend& backend,
                         const UpstreamRequest& request) {
    out.append(request.method).append(" ").append(backend.endpoint.base_path);
    out.append(request.target).append(" HTTP/1.1\r\n");
    out.append("Host: ");
    append_host(out, backend.endpoint);
    out.append("\r\n");
    out.append(request.fields);
    for (const auto& [name, value] : backend.headers) add(out, name, value);
    if (!backend.secret.empty()) {
        add(out, "Authorization", "Bearer " + backend.secret);
    } else if (backend.forward_authorization && !request.authorization.empty()) {
        add(out, "Authorization", request.authorization);
    }
    add(out, "Accept-Encoding", "identity");
    if (request.source && !request.source->length()) {
        add(out, "Transfer-Encoding", "chunked");
    } else if (request.source) {
        add(out, "Content-Length", std::to_string(*request.source->length()));
    } else if (!request.body.empty() || request.method == "POST") {
        add(out, "Content-Length", std::to_string(request.body.size()));
    }
    out.append("\r\n");
}

}  // namespace ollama_proxy::upstream
