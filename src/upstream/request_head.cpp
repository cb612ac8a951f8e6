#include "upstream/request_head.hpp"

#include "ollama_proxy/codec/http1.hpp"

namespace ollama_proxy::upstream {
using codec::append_field;

namespace {

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
    for (const auto& [name, value] : backend.headers) append_field(out, name, value);
    if (!backend.secret.empty()) {
        append_field(out, "Authorization", "Bearer " + backend.secret);
    } else if (backend.forward_authorization && !request.authorization.empty()) {
        append_field(out, "Authorization", request.authorization);
    }
    append_field(out, "Accept-Encoding", "identity");
    if (request.source && !request.source->length()) {
        append_field(out, "Transfer-Encoding", "chunked");
    } else if (request.source) {
        append_field(out, "Content-Length", std::to_string(*request.source->length()));
    } else if (!request.body.empty() || request.method == "POST") {
        append_field(out, "Content-Length", std::to_string(request.body.size()));
    }
    out.append("\r\n");
}

}  // namespace ollama_proxy::upstream
