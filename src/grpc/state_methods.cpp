#include "grpc/decision_feed.hpp"
#include "grpc/messages.hpp"
#include "grpc/methods.hpp"
#include "grpc/until_change.hpp"

#include <boost/asio/this_coro.hpp>

namespace ollama_proxy::grpc_api {
using boost::asio::awaitable;

namespace {

/// What is shown of models is at most this old, as over HTTP.
constexpr std::chrono::seconds kFresh{1};

/// Passes decisions on as they are made, until `end`.
awaitable<std::optional<Error>> tell_decisions(Call& call, DecisionBox& box, TimePoint end) {
    while (Clock::now() < end) {
        const std::vector<router::LastDecision> decisions = box.take();
        for (const router::LastDecision& decision : decisions) {
            StateUpdate update;
            fill(*update.mutable_decision(), decision);
            auto error = co_await call.write(update);
            if (error) co_return error;
        }
        co_await box.until_news(end);
    }
    co_return std::nullopt;
}

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
    std::optional<DecisionFeed> feed;
    if (request.decisions()) {
        const auto executor = co_await boost::asio::this_coro::executor;
        feed.emplace(call.shared().router, executor);
    }
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
        if (!feed) {
            co_await until_next_look();
        } else if (auto error =
                       co_await tell_decisions(call, feed->box(), Clock::now() + kLookAgain)) {
            co_return error;
        }
    }
}

}  // namespace ollama_proxy::grpc_api
