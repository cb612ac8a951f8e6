// With keys on: what is open, what each permission opens, and where keys never go.

#include "front_end.hpp"

#include <vector>

namespace ollama_proxy::front_end {
namespace {

const config::Environment kKeys{{{"ALL_KEY", "sk-all-secret"},
                                 {"ASK_KEY", "sk-ask-secret"},
                                 {"READ_KEY", "sk-read-secret"},
                                 {"ADMIN_KEY", "sk-admin-secret"},
                                 {"CLOUD_KEY", "cloud-credential"}}};

constexpr std::string_view kAuth =
    "server: { auth: { enabled: true, api_keys: [\n"
    "  { name: all, key_env: ALL_KEY, permissions: [inference, read, admin] },\n"
    "  { name: ask, key_env: ASK_KEY, permissions: [inference] },\n"
    "  { name: read, key_env: READ_KEY, permissions: [read] },\n"
    "  { name: admin, key_env: ADMIN_KEY, permissions: [admin] } ] } }\n";

class Keys : public testing::Test {
  protected:
    Keys() { daemon_.wait_until_healthy("a", "sk-all-secret"); }

    ScriptedBackend backend_{ScriptedBackend::answering_json("{}")};
    TestDaemon daemon_{support::config_yaml({support::backend_yaml("a", backend_.port())}, kAuth),
                       kKeys};
};

struct Way {
    const char* method;
    const char* path;
    const char* body;
    const char* key;  ///< the one key, beside `all`, that opens it; "" = open to everybody
};
const std::vector<Way> kWays{
    {"GET", "/", "", ""},
    {"HEAD", "/", "", ""},
    {"GET", "/healthz", "", ""},
    {"GET", "/readyz", "", ""},
    {"OPTIONS", "/api/delete", "", ""},
    {"POST", "/v1/chat/completions", R"({"model":"test-model","messages":["hi"]})", "ask"},
    {"POST", "/v1/completions", R"({"model":"test-model","prompt":"x"})", "ask"},
    {"POST", "/v1/embeddings", R"({"model":"test-model","input":"x"})", "ask"},
    {"POST", "/v1/messages", R"({"model":"test-model","messages":["hi"]})", "ask"},
    {"POST", "/v1/messages/count_tokens", R"({"model":"test-model","messages":["hi"]})", "ask"},
    {"POST", "/v1/responses", R"({"model":"test-model","input":"x"})", "ask"},
    {"POST", "/api/chat", R"({"model":"test-model","messages":["hi"]})", "ask"},
    {"POST", "/api/generate", R"({"model":"test-model","prompt":"x"})", "ask"},
    {"POST", "/api/embed", R"({"model":"test-model","input":"x"})", "ask"},
    {"POST", "/api/embeddings", R"({"model":"test-model","prompt":"x"})", "ask"},
    {"POST", "/api/show", R"({"model":"test-model"})", "ask"},
    {"GET", "/efficiency", "", "read"},
    {"GET", "/efficiency/history", "", "read"},
    {"POST", "/efficiency", R"({"mode":"Quiet"})", "admin"},
    {"GET", "/v1/models", "", "read"},
    {"GET", "/v1/models/test-model", "", "read"},
    {"GET", "/api/tags", "", "read"},
    {"HEAD", "/api/tags", "", "read"},
    {"GET", "/api/ps", "", "read"},
    {"GET", "/api/version", "", "read"},
    {"GET", "/metrics", "", "read"},
    {"POST", "/explain", R"({"model":"test-model"})", "read"},
    {"GET", "/health", "", "read"},
    {"GET", "/backends", "", "read"},
    {"POST", "/api/pull", R"({"model":"x"})", "admin"},
    {"POST", "/api/push", R"({"model":"x"})", "admin"},
    {"POST", "/api/create", R"({"model":"x"})", "admin"},
    {"POST", "/api/copy", R"({"source":"x","destination":"y"})", "admin"},
    {"DELETE", "/api/delete", R"({"model":"x"})", "admin"},
    {"POST", "/api/blobs/sha256:00", "blob", "admin"},
    {"HEAD", "/api/blobs/sha256:00", "", "admin"},
};

TEST_F(Keys, EachRouteOpensToItsPermissionAlone) {
    for (const Way& way : kWays) {
        const bool open = *way.key == '\0';
        const bool has_body = way.method != std::string_view("HEAD");
        const auto ask = [&](const Headers& headers) {
            RawClient one(daemon_.port());
            return one.request(way.method, way.path, way.body, headers);
        };
        const auto judge = [&](const HttpReply& reply, int status, const char* code) {
            EXPECT_EQ(reply.status, status) << reply.raw;
            if (has_body) expect_error(reply, shape_of(way.path), status, code, "Authorization");
            if (status == 401) {
                EXPECT_EQ(reply.header("WWW-Authenticate"), "Bearer");
            }
            EXPECT_EQ(reply.raw.find("secret"), std::string::npos) << "a key in an answer";
        };
        SCOPED_TRACE(std::string(way.method) + " " + way.path);
        if (open) {
            EXPECT_LT(ask({}).status, 300);
            EXPECT_LT(ask({{"Authorization", "Bearer wrong"}}).status, 300);
            continue;
        }
        const std::size_t before = backend_.request_count();
        judge(ask({}), 401, "invalid_api_key");
        for (const char* value :
             {"Bearer sk-wrong", "Bearer ", "Bearer", "sk-all-secret", "Basic sk-all-secret",
              "Bearer sk-all-secre", "Bearer sk-all-secret2", "Bearer sk-all-secret,x"}) {
            SCOPED_TRACE(value);
            judge(ask({{"Authorization", value}}), 401, "invalid_api_key");
        }
        judge(ask({{"x-api-key", "sk-wrong"}}), 401, "invalid_api_key");
        for (const char* name : {"ask", "read", "admin"}) {
            if (name == std::string_view(way.key)) continue;
            judge(ask({{"Authorization", "Bearer sk-" + std::string(name) + "-secret"}}), 403,
                  "permission_denied");
        }
        EXPECT_EQ(backend_.request_count(), before) << "an effect before the gate";
        const std::string key = "sk-" + std::string(way.key) + "-secret";
        EXPECT_EQ(ask({{"Authorization", "bearer " + key}}).status, 200);
        EXPECT_EQ(ask({{"X-API-Key", key}}).status, 200);
        EXPECT_EQ(ask({{"Authorization", "Bearer sk-all-secret"}}).status, 200);
    }
    // neither a key of ours nor its place reaches a backend
    for (const RecordedRequest& request : backend_.requests()) {
        EXPECT_EQ(request.raw.find("secret"), std::string::npos) << request.raw;
        EXPECT_EQ(request.head.count("Authorization"), 0U);
        EXPECT_EQ(request.head.count("x-api-key"), 0U);
    }
}

TEST_F(Keys, ARefusedBodyIsNotReadAtAll) {
    RawClient client(daemon_.port());
    client.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 60000000\r\n\r\n");
    const auto reply = client.read_reply("POST");  // without a byte of the body
    expect_error(reply, Shape::openai, 401, "invalid_api_key", "Authorization");
    EXPECT_EQ(reply.header("Connection"), "close");
}

TEST_F(Keys, AKeyOfOneRequestDoesNotServeTheNext) {
    RawClient client(daemon_.port());
    EXPECT_EQ(client.get("/backends", {{"Authorization", "Bearer sk-read-secret"}}).status, 200);
    EXPECT_EQ(client.get("/backends").status, 401);
}

TEST(Credentials, EachGoesToItsOwnBackendAlone) {
    ScriptedBackend cloud(ScriptedBackend::answering_json("{}"));
    ScriptedBackend local(ScriptedBackend::answering_json("{}"));
    ScriptedBackend passing(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(
        support::config_yaml(
            {support::backend_yaml("cloud", cloud.port(), "type: openai\napi_key_env: CLOUD_KEY"),
             support::backend_yaml("local", local.port()),
             support::backend_yaml("passing", passing.port(), "forward_authorization: true")}),
        kKeys);
    for (const char* id : {"cloud", "local", "passing"}) {
        daemon.wait_until_healthy(id);
        for (const char* path : {"/v1/chat/completions", "/api/pull"}) {
            const auto reply = support::http_post(
                daemon.port(), path, kChatBody,
                {{"X-Target-Backend", id}, {"Authorization", "Bearer of-the-client"}});
            EXPECT_EQ(reply.status, 200) << id << path << reply.body;
        }
    }
    const auto authorizations = [](const ScriptedBackend& backend) {
        std::vector<std::string> all;
        for (const auto& request : backend.requests()) {
            EXPECT_LE(request.head.count("Authorization"), 1U);
            all.push_back(request.header("Authorization"));
        }
        return all;
    };
    using Two = std::vector<std::string>;
    EXPECT_EQ(authorizations(cloud), (Two{"Bearer cloud-credential", "Bearer cloud-credential"}));
    EXPECT_EQ(authorizations(local), (Two{"", ""}));
    EXPECT_EQ(authorizations(passing), (Two{"Bearer of-the-client", "Bearer of-the-client"}));
}

}  // namespace
}  // namespace ollama_proxy::front_end
