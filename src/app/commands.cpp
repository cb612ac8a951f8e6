#include "app/commands.hpp"

#include "app/client.hpp"
#include "app/json_fields.hpp"
#include "app/show.hpp"

namespace ollama_proxy::app {
using nlohmann::json;

namespace {

constexpr int kOk = 200;
constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;

using Reply = Result<upstream::FetchReply>;

std::string message_of(const json& body) {
    const json& error = field(body, "error");
    return error.is_string() ? error.get<std::string>() : text_of(error, "message");
}

/// Named, because a `json` converts to everything, to a result in two ways.
Result<json> good(json value) { return {boost::system::in_place_value, std::move(value)}; }

/// The JSON of a good answer, or a sentence about what is wrong with it.
Result<json> understood(const Reply& reply, const std::string& url) {
    if (!reply) return reply.error();
    const json body = json::parse(reply->body, nullptr, false);
    const std::string message = message_of(body);
    if (reply->status == kUnauthorized) {
        return make_error(Errc::invalid_api_key,
                          "the daemon asks for an API key: set OLLAMA_PROXY_API_KEY to a good one");
    }
    if (reply->status == kForbidden) {
        return make_error(Errc::permission_denied, "the daemon refuses: " + message);
    }
    const bool is_route = text_of(field(body, "error"), "code") != "model_not_found";
    if (reply->status == kNotFound && is_route) {
        return make_error(Errc::route_not_found,
                          "the daemon at " + url + " does not offer this (404)");
    }
    if (reply->status != kOk) {
        return make_error(Errc::internal, "the daemon answered " + std::to_string(reply->status) +
                                              (message.empty() ? "" : ": " + message));
    }
    if (!body.is_object()) {
        return make_error(Errc::bad_gateway, "what answers at " + url + " is no ollama-proxy");
    }
    return good(body);
}

CommandReport failed(const Error& error) {
    return {1, {}, "ollama-proxy: " + error.message + "\n"};
}

/// A part that an older daemon may lack: null then.
Result<json> optional_part(const Client& client, const char* target) {
    auto part = understood(client.get(target), client.url());
    if (!part && part.error().code == Errc::route_not_found) return good(nullptr);
    return part;
}

CommandReport status(const Client& client, const Options& options, bool colour) {
    const auto health = understood(client.get("/health"), client.url());
    if (!health) return failed(health.error());
    const auto backends = understood(client.get("/backends"), client.url());
    if (!backends) return failed(backends.error());
    const auto efficiency = optional_part(client, "/efficiency");
    if (!efficiency) return failed(efficiency.error());
    const auto thermal = optional_part(client, "/thermal");
    if (!thermal) return failed(thermal.error());
    if (!options.json) {
        return {
            0, show_status({*health, *backends, *efficiency, *thermal}, client.url(), colour), {}};
    }
    const json all = {{"url", client.url()},
                      {"health", *health},
                      {"backends", field(*backends, "backends")},
                      {"efficiency", *efficiency},
                      {"thermal", *thermal}};
    return {0, all.dump(2) + "\n", {}};
}

CommandReport mode(const Client& client, const Options& options) {
    Reply reply = options.new_mode
                      ? client.post("/efficiency",
                                    json{{"mode", config::to_string(*options.new_mode)}}.dump())
                      : client.get("/efficiency");
    const auto state = understood(reply, client.url());
    if (!state) return failed(state.error());
    return {0, show_mode(*state), {}};
}

CommandReport explain(const Client& client, const Options& options, bool colour) {
    const json message = {{"role", "user"}, {"content", ""}};
    const json request = {{"model", options.model}, {"messages", json::array({message})}};
    const std::string body = request.dump(-1, ' ', false, json::error_handler_t::replace);
    const auto reply = understood(client.post("/explain", body, options.headers), client.url());
    if (!reply) return failed(reply.error());
    return {0, show_explanation(*reply, colour), {}};
}

CommandReport table(const Client& client, const char* target,
                    std::string (*show)(const json&, bool), bool colour) {
    const auto reply = understood(client.get(target), client.url());
    if (!reply) return failed(reply.error());
    return {0, show(*reply, colour), {}};
}

}  // namespace

CommandReport run_command(const Options& options, const config::Environment& environment,
                          bool colour) {
    const auto url = daemon_url(options, environment);
    if (!url) return failed(url.error());
    const auto client = Client::to(*url, environment.get("OLLAMA_PROXY_API_KEY").value_or(""));
    if (!client) return failed(client.error());
    switch (options.command) {
        case Command::status:
            return status(*client, options, colour);
        case Command::mode:
            return mode(*client, options);
        case Command::backends:
            return table(*client, "/backends", show_backends, colour);
        case Command::models:
            return table(*client, "/v1/models", show_models, colour);
        case Command::explain:
            return explain(*client, options, colour);
        case Command::serve:
        case Command::check_config:
            break;
    }
    return failed(make_error(Errc::internal, "not a command for a running daemon"));
}

bool wants_colour(const config::Environment& environment, bool is_terminal) {
    const auto terminal = environment.get("TERM");
    return is_terminal && environment.get("NO_COLOR").value_or("").empty() && terminal &&
           *terminal != "dumb";
}

}  // namespace ollama_proxy::app
