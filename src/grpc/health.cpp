#include "grpc/health/v1/health.pb.h"
#include "grpc/methods.hpp"
#include "grpc/until_change.hpp"

namespace ollama_proxy::grpc_api {
using boost::asio::awaitable;
using HealthRequest = ::grpc::health::v1::HealthCheckRequest;
using HealthResponse = ::grpc::health::v1::HealthCheckResponse;

namespace {

bool is_known(const std::string& service) {
    return service.empty() || service == "ollama_proxy.OllamaProxy" ||
           service == "grpc.health.v1.Health";
}

HealthResponse serving(const Call& call) {
    HealthResponse response;
    response.set_status(call.shared().router.view()->ready ? HealthResponse::SERVING
                                                           : HealthResponse::NOT_SERVING);
    return response;
}

}  // namespace

awaitable<std::optional<Error>> check_serving(Call& call) {
    HealthRequest request;
    if (auto error = co_await call.read(request)) co_return error;
    if (!is_known(request.service())) {
        co_return make_error(Errc::route_not_found,
                             "there is no service '" + request.service() + "' here", "service");
    }
    call.reply(serving(call));
    co_return std::nullopt;
}

awaitable<std::optional<Error>> watch_serving(Call& call) {
    HealthRequest request;
    if (auto error = co_await call.read(request)) co_return error;
    auto before = HealthResponse::UNKNOWN;
    for (;;) {
        HealthResponse response;
        response.set_status(HealthResponse::SERVICE_UNKNOWN);
        if (is_known(request.service())) response = serving(call);
        if (response.status() != before) {
            before = response.status();
            if (auto error = co_await call.write(response)) co_return error;
        }
        co_await until_next_look();
    }
}

}  // namespace ollama_proxy::grpc_api
