#include "grpc/messages.hpp"
#include "grpc/methods.hpp"
#include "grpc/until_change.hpp"

namespace ollama_proxy::grpc_api {
using boost::asio::awaitable;

namespace {

/// What is shown of models is at most this old, as over HTTP.
constexpr std::chrono::seconds kFresh{1};

}  // namespace

awaitable<std::optional<Error>> list_models(Call& call) {
    ListModelsRequest request;
    if (auto error = co_await call.read(request)) co_return error;
    const router::ModelsView models = co_await call.shared().router.models(kFresh);
    ListModelsResponse response;
    fill(response, models);
    call.reply(response);
    co_return std::nullopt;
}

awaitable<std::optional<Error>> list_backends(Call& call) {
    ListBackendsRequest request;
    if (auto error = co_await call.read(request)) co_return error;
    ListBackendsResponse response;
    fill(response, *call.shared().router.view());
    call.reply(response);
    co_return std::nullopt;
}

awaitable<std::optional<Error>> health_check(Call& call) {
    HealthCheckRequest request;
    if (auto error = co_await call.read(request)) co_return error;
    HealthCheckResponse response;
    fill(response, *call.shared().router.view());
    call.reply(response);
    co_return std::nullopt;
}

awaitable<std::optional<Error>> get_efficiency(Call& call) {
    GetEfficiencyRequest request;
    if (auto error = co_await call.read(request)) co_return error;
    EfficiencyState response;
    fill(response, *call.shared().controller.state());
    call.reply(response);
    co_return std::nullopt;
}

awaitable<std::optional<Error>> set_efficiency(Call& call) {
    SetEfficiencyRequest request;
    if (auto error = co_await call.read(request)) co_return error;
    const auto mode = efficiency::mode_from_text(request.mode());
    if (!mode) co_return mode.error();
    efficiency::Change change;
    change.mode = *mode;
    const efficiency::StatePtr state = co_await call.shared().controller.changed(change);
    EfficiencyState response;
    fill(response, *state);
    call.reply(response);
    co_return std::nullopt;
}

awaitable<std::optional<Error>> watch_state(Call& call) {
    WatchStateRequest request;
    if (auto error = co_await call.read(request)) co_return error;
    std::string before;
    for (;;) {
        StateUpdate update;
        fill(*update.mutable_state(), *call.shared().controller.state(),
             *call.shared().router.view());
        std::string now = update.SerializeAsString();
        if (now != before) {
            before = std::move(now);
            if (auto error = co_await call.write(update)) co_return error;
        }
        co_await until_next_look();
    }
}

}  // namespace ollama_proxy::grpc_api
