#include "grpc/status.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace ollama_proxy::grpc_api {
namespace {

TEST(StatusOf, IsThatOfTheWireContract) {
    const std::vector<std::pair<Errc, StatusCode>> rows{
        {Errc::invalid_request, StatusCode::invalid_argument},
        {Errc::backend_not_found, StatusCode::invalid_argument},
        {Errc::model_not_found, StatusCode::not_found},
        {Errc::queue_full, StatusCode::resource_exhausted},
        {Errc::rate_limited, StatusCode::resource_exhausted},
        {Errc::request_too_large, StatusCode::resource_exhausted},
        {Errc::header_too_large, StatusCode::resource_exhausted},
        {Errc::queue_timeout, StatusCode::unavailable},
        {Errc::no_available_backends, StatusCode::unavailable},
        {Errc::overloaded, StatusCode::unavailable},
        {Errc::shutting_down, StatusCode::unavailable},
        {Errc::upstream_timeout, StatusCode::unavailable},
        {Errc::upstream_stalled, StatusCode::unavailable},
        {Errc::cancelled, StatusCode::cancelled},
        {Errc::invalid_api_key, StatusCode::unauthenticated},
        {Errc::permission_denied, StatusCode::permission_denied},
        {Errc::forbidden_host, StatusCode::permission_denied},
        {Errc::not_supported, StatusCode::unimplemented},
        {Errc::bad_gateway, StatusCode::internal},
        {Errc::upstream_refused, StatusCode::internal},
        {Errc::internal, StatusCode::internal},
    };
    for (const auto& [code, wanted] : rows) {
        EXPECT_EQ(status_code(code, false), wanted) << static_cast<int>(code);
    }
}

TEST(StatusOf, SaysWhereTheClientsOwnDeadlineEndedTheCall) {
    for (const Errc code : {Errc::queue_timeout, Errc::upstream_timeout, Errc::cancelled}) {
        EXPECT_EQ(status_code(code, true), StatusCode::deadline_exceeded);
    }
    EXPECT_EQ(status_code(Errc::model_not_found, true), StatusCode::not_found);
}

}  // namespace
}  // namespace ollama_proxy::grpc_api
