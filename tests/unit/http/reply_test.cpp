#include "http/reply.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>
#include <sstream>
#include <string>

namespace ollama_proxy::http {
namespace {

using codec::ErrorDialect;

TEST(Reply, ARefusalForNowSaysWhenToComeBack) {
    Error error = make_error(Errc::queue_full, "full");
    EXPECT_TRUE(has_field(error_reply(ErrorDialect::openai, error).fields, "retry-after"));
    error.retry_after_s = 17;
    EXPECT_EQ(error_reply(ErrorDialect::ollama, error).fields, "Retry-After: 17\r\n");
    for (const Errc code : {Errc::rate_limited, Errc::queue_timeout, Errc::no_available_backends,
                            Errc::overloaded, Errc::shutting_down}) {
        EXPECT_EQ(error_reply(ErrorDialect::openai, make_error(code, "x")).fields,
                  "Retry-After: 1\r\n");
    }
    for (const Errc code : {Errc::invalid_request, Errc::model_not_found, Errc::bad_gateway,
                            Errc::upstream_timeout, Errc::internal}) {
        EXPECT_EQ(error_reply(ErrorDialect::openai, make_error(code, "x")).fields, "");
    }
}

TEST(Reply, AMissingKeyIsAskedFor) {
    const Reply reply = error_reply(ErrorDialect::openai, make_error(Errc::invalid_api_key, "x"));
    EXPECT_EQ(reply.status, 401);
    EXPECT_EQ(reply.fields, "WWW-Authenticate: Bearer\r\n");
    EXPECT_EQ(nlohmann::json::parse(reply.body)["error"]["code"], "invalid_api_key");
}

TEST(Reply, EveryReplyCarriesItsIdAndOnlyAnAllowedPageMayReadIt) {
    std::string plain;
    append_common(plain, {"id-1", {}});
    EXPECT_EQ(plain, "X-Request-ID: id-1\r\nX-Content-Type-Options: nosniff\r\nVary: Origin\r\n");
    std::string page;
    append_common(page, {"id-1", "http://localhost:3000"});
    EXPECT_TRUE(page.starts_with(plain));
    EXPECT_NE(page.find("Access-Control-Allow-Origin: http://localhost:3000\r\n"),
              std::string::npos);
    for (const char* exposed :
         {"X-Backend-Used", "X-Request-ID", "X-Energy-Joules", "Retry-After"}) {
        EXPECT_NE(page.find(exposed), std::string::npos) << exposed;
    }
}

/// Of a block of header lines: what a page can read only when it is exposed.
std::set<std::string> names_of_ours(const std::string& fields) {
    std::set<std::string> names;
    std::istringstream lines(fields);
    for (std::string line; std::getline(lines, line);) {
        const std::string name = line.substr(0, line.find(':'));
        // the browser's own business
        if (name.starts_with("X-") && name != "X-Content-Type-Options") names.insert(name);
    }
    return names;
}

std::vector<std::string> exposed_names() {
    std::string fields;
    append_common(fields, {"id-1", "http://localhost:3000"});
    const std::string before = "Access-Control-Expose-Headers: ";
    const std::size_t at = fields.find(before) + before.size();
    std::istringstream list(fields.substr(at, fields.find("\r\n", at) - at));
    std::vector<std::string> names;
    for (std::string name; std::getline(list >> std::ws, name, ',');) names.push_back(name);
    return names;
}

TEST(Reply, APageMayReadEveryHeaderOfOurs) {
    EXPECT_THAT(exposed_names(),
                testing::UnorderedElementsAre(
                    "X-Backend-Used", "X-Estimated-Latency-Ms", "X-Estimated-Power-W",
                    "X-Routing-Reason", "X-Alternatives", "X-Queue-Depth", "X-Queue-Wait-Ms",
                    "X-Request-ID", "X-Efficiency-Mode", "X-Energy-Joules", "Retry-After"));
}

TEST(Reply, NoHeaderOfOursIsMissingInTheListThatAPageMayRead) {
    router::RouteInfo info;
    info.decided = true;
    info.backend = "npu";
    info.estimated_latency_ms = 800;
    info.estimated_watts = 3;
    info.reason = "balanced";
    info.alternatives = "igpu";
    info.mode = "Balanced";
    std::string fields;
    append_common(fields, {"id-1", {}});
    append_routing(fields, info);
    append_energy(fields, monitors::EnergyCharge{1.5, monitors::EnergySource::configured});
    const std::vector<std::string> exposed = exposed_names();
    const std::set<std::string> ours = names_of_ours(fields);
    EXPECT_EQ(ours.size(), 10U) << fields;
    for (const std::string& name : ours) EXPECT_THAT(exposed, testing::Contains(name));
}

TEST(Reply, RoutingIsShownOnlyWhereADecisionWasMade) {
    router::RouteInfo info;
    std::string out;
    append_routing(out, info);
    EXPECT_EQ(out, "");
    info.decided = true;
    info.backend = "npu";
    info.estimated_latency_ms = 799.6;
    info.reason = "balanced";
    info.mode = "Balanced";
    info.queue_depth = 2;
    info.queue_wait_ms = 31.4;
    append_routing(out, info);
    EXPECT_EQ(out,
              "X-Backend-Used: npu\r\nX-Estimated-Latency-Ms: 800\r\n"
              "X-Routing-Reason: balanced\r\nX-Queue-Depth: 2\r\nX-Queue-Wait-Ms: 31\r\n"
              "X-Efficiency-Mode: Balanced\r\n");
    info.estimated_watts = 3.04;
    info.alternatives = "igpu, cpu";
    out.clear();
    append_routing(out, info);
    EXPECT_NE(out.find("X-Estimated-Power-W: 3.0\r\n"), std::string::npos);
    EXPECT_NE(out.find("X-Alternatives: igpu, cpu\r\n"), std::string::npos);
}

TEST(Reply, APreflightEchoesOnlyWhatWasAsked) {
    std::string out;
    append_preflight(out, "POST, OPTIONS", {}, false);
    EXPECT_EQ(out,
              "Access-Control-Allow-Methods: POST, OPTIONS\r\nAccess-Control-Max-Age: 7200\r\n");
    out.clear();
    append_preflight(out, "GET", "x-a, x-b", true);
    EXPECT_NE(out.find("Access-Control-Allow-Headers: x-a, x-b\r\n"), std::string::npos);
    EXPECT_NE(out.find("Access-Control-Allow-Private-Network: true\r\n"), std::string::npos);
}

TEST(Reply, FindsAFieldByItsWholeNameAtTheBeginOfALine) {
    const std::string fields = "Content-Type: text/plain\r\nX-A: date: 1\r\nETag: x\r\n";
    EXPECT_TRUE(has_field(fields, "content-type"));
    EXPECT_TRUE(has_field(fields, "ETAG"));
    EXPECT_FALSE(has_field(fields, "date"));
    EXPECT_FALSE(has_field(fields, "Content"));
    EXPECT_FALSE(has_field("", "a"));
}

TEST(Reply, EveryStatusOfTheContractHasItsPhrase) {
    for (const int status : {200, 204, 400, 401, 403, 404, 405, 408, 413, 414, 415, 429, 431, 500,
                             501, 502, 503, 504}) {
        EXPECT_NE(reason_phrase(status), reason_phrase(599)) << status;
    }
}

}  // namespace
}  // namespace ollama_proxy::http
