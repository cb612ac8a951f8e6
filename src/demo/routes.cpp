#include "demo/routes.hpp"

#include "demo/inference.hpp"
#include "demo/model_routes.hpp"

#include <array>
#include <optional>

namespace ollama_proxy::demo {

namespace asio = boost::asio;

namespace {

struct PlainRoute {
    std::string_view verb;
    std::string_view path;
    Reply (*handler)(State&, const Request&, std::string_view rest);
    bool prefix = false;  ///< the path goes on after this
};

constexpr std::array<PlainRoute, 11> kPlain = {{
    {"GET", "/", get_root},
    {"GET", "/api/tags", get_tags},
    {"GET", "/api/ps", get_ps},
    {"GET", "/api/version", get_version},
    {"POST", "/api/show", post_show},
    {"POST", "/api/copy", post_copy},
    {"DELETE", "/api/delete", delete_model},
    {"HEAD", "/api/blobs/", head_blob, true},
    {"GET", "/v1/models", get_openai_models},
    {"GET", "/v1/models/", get_openai_model, true},
    {"POST", "/v1/messages/count_tokens", count_tokens},
}};

struct InferenceRoute {
    std::string_view path;
    Dialect dialect;
};

constexpr std::array<InferenceRoute, 9> kInference = {{
    {"/api/chat", Dialect::ollama_chat},
    {"/api/generate", Dialect::ollama_generate},
    {"/api/embed", Dialect::ollama_embed},
    {"/api/embeddings", Dialect::ollama_embeddings},
    {"/v1/chat/completions", Dialect::chat_completions},
    {"/v1/completions", Dialect::completions},
    {"/v1/embeddings", Dialect::embeddings},
    {"/v1/responses", Dialect::responses},
    {"/v1/messages", Dialect::messages},
}};

struct TransferRoute {
    std::string_view path;
    Transfer kind;
};

constexpr std::array<TransferRoute, 3> kTransfer = {{
    {"/api/pull", Transfer::pull},
    {"/api/push", Transfer::push},
    {"/api/create", Transfer::create},
}};

constexpr std::string_view kBlobs = "/api/blobs/";

bool is_served(const State& state, std::string_view path) {
    return state.settings.has_responses_and_messages ||
           !(path.starts_with("/v1/responses") || path.starts_with("/v1/messages"));
}

/// Ids of models may come percent-encoded, as SDKs send them.
std::string decoded(std::string_view text) {
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        const int lower = c | 0x20;
        return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            const int high = digit(text[i + 1]);
            const int low = digit(text[i + 2]);
            if (high >= 0 && low >= 0) {
                out += static_cast<char>(high * 16 + low);
                i += 2;
                continue;
            }
        }
        out += text[i];
    }
    return out;
}

bool verb_fits(std::string_view wanted, std::string_view given) {
    return given == wanted || (wanted == "GET" && given == "HEAD");
}

bool path_fits(const PlainRoute& route, std::string_view path) {
    return route.prefix ? path.starts_with(route.path) && path.size() > route.path.size()
                        : path == route.path;
}

/// The reply of a plain route, or nothing when no route has this path.
std::optional<Reply> plain_reply(State& state, const Request& request) {
    std::string_view allowed;
    for (const PlainRoute& route : kPlain) {
        if (!path_fits(route, request.path)) continue;
        if (verb_fits(route.verb, request.method)) {
            const std::string rest =
                decoded(std::string_view(request.path).substr(route.path.size()));
            return route.handler(state, request, rest);
        }
        allowed = route.verb;
    }
    if (allowed.empty()) return std::nullopt;
    Reply reply = text_reply("405 method not allowed", 405);
    reply.headers = allowed == "GET"      ? "Allow: GET, HEAD\r\n"
                    : allowed == "POST"   ? "Allow: POST\r\n"
                    : allowed == "DELETE" ? "Allow: DELETE\r\n"
                                          : "Allow: HEAD, POST\r\n";
    return reply;
}

asio::awaitable<bool> answer(Connection& connection, const Request& request, const Reply& reply) {
    std::string out;
    render(out, request, reply);
    co_return co_await connection.send(out) && request.keep_alive;
}

asio::awaitable<bool> infer(State& state, Connection& connection, Request& request,
                            Dialect dialect) {
    std::variant<Job, Reply> parsed = parse_job(dialect, state, request.body);
    if (const Reply* refusal = std::get_if<Reply>(&parsed)) {
        co_return co_await answer(connection, request, *refusal);
    }
    Job& job = std::get<Job>(parsed);
    if (!state.models.has(job.model)) {
        const Reply refusal = model_not_found(family_of(dialect), job.model);
        co_return co_await answer(connection, request, refusal);
    }
    if (job.load_only) co_return co_await load_only(state, connection, request, job);
    if (job.stream) connection.shed_buffers(request);
    Inference inference(state, connection, request, std::move(job));
    co_return co_await inference.run();
}

asio::awaitable<bool> store_blob(State& state, Connection& connection, const Request& request) {
    if (!co_await connection.discard_body(request)) co_return false;
    state.blobs.insert(decoded(std::string_view(request.path).substr(kBlobs.size())));
    Reply reply;
    reply.status = 201;
    co_return co_await answer(connection, request, reply);
}

}  // namespace

asio::awaitable<bool> dispatch(State& state, Connection& connection, Request& request) {
    const std::string_view path = request.path;
    const bool post = request.method == "POST";
    if (post && path.starts_with(kBlobs) && path.size() > kBlobs.size()) {
        co_return co_await store_blob(state, connection, request);
    }
    if (!co_await connection.read_body(request)) co_return false;
    if (is_served(state, path)) {
        Reply wrong_verb = text_reply("405 method not allowed", 405);
        wrong_verb.headers = "Allow: POST\r\n";
        for (const InferenceRoute& route : kInference) {
            if (path != route.path) continue;
            if (!post) co_return co_await answer(connection, request, wrong_verb);
            co_return co_await infer(state, connection, request, route.dialect);
        }
        for (const TransferRoute& route : kTransfer) {
            if (path != route.path) continue;
            if (!post) co_return co_await answer(connection, request, wrong_verb);
            co_return co_await transfer(state, connection, request, route.kind);
        }
        if (const std::optional<Reply> reply = plain_reply(state, request)) {
            co_return co_await answer(connection, request, *reply);
        }
    }
    const Reply missing = text_reply("404 page not found", 404);
    co_return co_await answer(connection, request, missing);
}

}  // namespace ollama_proxy::demo
