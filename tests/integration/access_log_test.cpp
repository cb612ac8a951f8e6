// What the access log says of a request, and what no line of the log ever says.

#include "ollama_proxy/telemetry/access_log.hpp"

#include "integration/daemon_process.hpp"
#include "integration/relay_support.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy {
namespace {

using front_end::DaemonProcess;
using nlohmann::json;
using support::delta;
using support::Headers;
using support::http_post;
using support::kChat;
using support::kDone;
using support::kFinish;
using support::kOllamaChat;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::TestDaemon;
using ::testing::HasSubstr;
using ::testing::Not;

std::string line_with(const std::string& log, const std::string& text) {
    const std::size_t at = log.find(text);
    if (at == std::string::npos) return "no line with " + text + " in: " + log;
    const std::size_t begin = log.rfind('\n', at) + 1;
    return log.substr(begin, log.find('\n', at) - begin);
}

/// Part of everything that is nobody's business: no line may have it.
constexpr const char* kPrivate = "PRIVATE";

/// It comes early: a field of a line is cut after few characters.
const std::string kMessages = R"({"messages":[{"content":"PRIVATE prompt","role":"user"}],)";
const std::string kPrompt = kMessages + R"("model":"test-model"})";
const std::string kPromptStreamed = kMessages + R"("model":"test-model","stream":true})";

/// Its answers are private too: a good one, an error, a stream that breaks.
ScriptedBackend::Script private_answers() {
    return ScriptedBackend::answering([](Peer& peer, const RecordedRequest& request) {
        const std::string id = request.header("X-Request-ID");
        if (id == "failed") {
            peer.reply(500, R"({"error":{"message":"PRIVATE error"}})");
        } else if (id == "broken") {
            peer.begin_chunked();
            peer.chunk(delta("PRIVATE answer") + "data: {\"PRIVATE");
            peer.close();
        } else if (id == "streamed") {
            peer.begin_chunked();
            peer.chunk(delta("PRIVATE answer") + kFinish + kDone);
            peer.end_chunked();
        } else {
            peer.reply(200, R"({"choices":[{"message":{"content":"PRIVATE answer"}}]})");
        }
    });
}

/// A daemon with keys, in front of a server of this machine and one that wants a credential, that
/// logs all it can.
class Talkative {
  public:
    explicit Talkative(const std::string& format)
        : daemon_(
              support::config_yaml(
                  {support::backend_yaml("local", local_.port()),
                   support::backend_yaml("cloud", cloud_.port(),
                                         "type: openai\napi_key_env: CLOUD_KEY")},
                  "server:\n"
                  "  grpc_port: null\n"
                  "  workers: 1\n"
                  "  auth: { enabled: true, api_keys: [{ name: laptop, key_env: LAPTOP_KEY }] }\n"
                  "logging: { level: trace, access_log: true, format: " +
                      format +
                      " }\n"
                      "monitors: { enabled: false }\n"
                      "dbus: { enabled: false }\n" +
                      support::kQuiet),
              std::nullopt, 0, {{"LAPTOP_KEY=PRIVATE-key", "CLOUD_KEY=PRIVATE-cloud-key"}}) {
        for (const char* id : {"local", "cloud"}) {
            EXPECT_TRUE(support::eventually([&] { return is_known(id); })) << id;
        }
    }

    support::HttpReply post(const std::string& id, const std::string& path, const std::string& body,
                            Headers more = {}) const {
        more.emplace_back("X-Request-ID", id);
        return http_post(daemon_.port(), path, body, more);
    }
    [[nodiscard]] std::uint16_t port() const { return daemon_.port(); }
    [[nodiscard]] const ScriptedBackend& cloud() const { return cloud_; }

    /// Stops it; all that it wrote.
    std::string log() {
        daemon_.signal(SIGTERM);
        EXPECT_EQ(daemon_.wait_exit(), 0);
        return daemon_.errors();
    }

  private:
    [[nodiscard]] bool is_known(const std::string& id) const {
        const auto reply = support::http_get(port(), "/backends", kKey);
        const auto listed = json::parse(reply.body, nullptr, false);
        for (const auto& one : listed.value("backends", json::array())) {
            if (one.at("id") == id) return !one.at("models").empty();
        }
        return false;
    }

    static inline const Headers kKey{{"Authorization", "Bearer PRIVATE-key"}};
    ScriptedBackend local_{private_answers()};
    ScriptedBackend cloud_{private_answers()};
    DaemonProcess daemon_;
};

class Privacy : public testing::TestWithParam<const char*> {};

TEST_P(Privacy, NoLineHasAPromptAnAnswerAKeyOrAQueryString) {
    Talkative daemon(GetParam());
    const std::string query = "?key=PRIVATE-query&PRIVATE";
    const std::pair<std::string, std::string> bearer{"Authorization", "Bearer PRIVATE-key"};
    const std::pair<std::string, std::string> api_key{"x-api-key", "PRIVATE-key"};
    const std::pair<std::string, std::string> to_cloud{"X-Target-Backend", "cloud"};
    const std::string chat = std::string(kChat) + query;

    EXPECT_EQ(daemon.post("whole", chat, kPrompt, {bearer}).status, 200);
    EXPECT_EQ(daemon.post("streamed", chat, kPromptStreamed, {api_key}).status, 200);
    EXPECT_EQ(daemon.post("passed-on", chat, kPrompt, {bearer, to_cloud}).status, 200);
    EXPECT_EQ(daemon.post("broken", chat, kPromptStreamed, {bearer}).status, 200);
    EXPECT_EQ(daemon.post("failed", chat, kPrompt, {bearer}).status, 500);
    EXPECT_EQ(daemon.post("no-json", chat, "{PRIVATE", {bearer}).status, 400);
    EXPECT_EQ(daemon.post("no-key", chat, kPrompt).status, 401);
    const Headers wrong{{"Authorization", "Bearer PRIVATE-wrong"}};
    EXPECT_EQ(daemon.post("wrong-key", chat, kPrompt, wrong).status, 401);
    EXPECT_EQ(daemon.post("nowhere", "/nowhere" + query, kPrompt, {bearer}).status, 404);
    RawClient client(daemon.port());  // its target has no path at all
    client.send("GET http://localhost" + query +
                " HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: absolute\r\n\r\n");
    EXPECT_EQ(client.read_reply().status, 200);

    ASSERT_GE(daemon.cloud().request_count(), 1U);
    EXPECT_EQ(daemon.cloud().requests()[0].header("Authorization"), "Bearer PRIVATE-cloud-key");

    const std::string log = daemon.log();
    EXPECT_THAT(log, Not(HasSubstr(kPrivate)));
    struct Line {
        const char* id;
        const char* path;
        int status;
    };
    const bool is_json = GetParam() == std::string_view("json");
    for (const Line& wanted :
         {Line{"whole", "/v1/chat/completions", 200}, Line{"streamed", "/v1/chat/completions", 200},
          Line{"passed-on", "/v1/chat/completions", 200},
          Line{"broken", "/v1/chat/completions", 200}, Line{"failed", "/v1/chat/completions", 500},
          Line{"no-json", "/v1/chat/completions", 400}, Line{"no-key", "/v1/chat/completions", 401},
          Line{"wrong-key", "/v1/chat/completions", 401}, Line{"nowhere", "/nowhere", 404},
          Line{"absolute", "/", 200}}) {
        const std::string id = wanted.id;
        const std::string path = wanted.path;
        const std::string status = std::to_string(wanted.status);
        const std::string line = line_with(log, is_json ? R"("id":")" + id + "\"" : " id=" + id);
        EXPECT_THAT(line, HasSubstr(is_json ? R"("path":")" + path + R"(","status":)" + status
                                            : " " + path + " " + status + " "));
    }
    const std::string whole = line_with(log, is_json ? R"("id":"whole")" : " id=whole");
    EXPECT_THAT(whole, HasSubstr("laptop")) << "a key is told by its name";
}

INSTANTIATE_TEST_SUITE_P(AccessLog, Privacy, testing::Values("text", "json", "journal"),
                         [](const auto& which) { return std::string(which.param); });

/// The line of one request to a backend that answers so.
std::string line_of(std::string_view path, std::string_view body, ScriptedBackend::Script script) {
    testing::internal::CaptureStderr();
    telemetry::start_logging({});
    telemetry::start_access_log();
    {
        ScriptedBackend backend(std::move(script));
        const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
        support::wait_until_known(daemon, "a");
        const auto reply = http_post(daemon.port(), path, body, {{"X-Request-ID", "counted"}});
        EXPECT_EQ(reply.status, 200);
        EXPECT_TRUE(reply.clean_end);
    }
    telemetry::stop_access_log();
    telemetry::stop_logging();
    return line_with(testing::internal::GetCapturedStderr(), " id=counted");
}

const std::string kStreamed = support::chat_body(true);

TEST(AccessLogTokens, CountedFromEventsAreLabelledAsEstimated) {
    const std::string chat =
        line_of(kChat, kStreamed,
                support::streaming("text/event-stream",
                                   {delta("one") + delta("two"), delta("three"), kFinish + kDone}));
    EXPECT_THAT(chat, HasSubstr(" tokens=3 tokens_estimated=true "));
    const std::string native =
        line_of(kOllamaChat, kStreamed,
                support::streaming("application/x-ndjson",
                                   {"{\"message\":{\"content\":\"one\"},\"done\":false}\n"
                                    "{\"message\":{\"content\":\"two\"},\"done\":false}\n",
                                    "{\"message\":{\"content\":\"\"},\"done\":true}\n"}));
    EXPECT_THAT(native, HasSubstr(" tokens=2 tokens_estimated=true "));
}

/// The numbers differ from those of the events.
TEST(AccessLogTokens, SaidByTheBackendAreNotLabelled) {
    const std::string chat =
        line_of(kChat, kStreamed,
                support::streaming("text/event-stream",
                                   {delta("one") + delta("two") + kFinish,
                                    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,"
                                    "\"completion_tokens\":7,\"total_tokens\":11}}\n\n" +
                                        kDone}));
    EXPECT_THAT(chat, HasSubstr(" tokens=7 "));
    EXPECT_THAT(chat, Not(HasSubstr("estimated")));
    const std::string native =
        line_of(kOllamaChat, kStreamed,
                support::streaming("application/x-ndjson",
                                   {"{\"message\":{\"content\":\"one\"},\"done\":false}\n"
                                    "{\"message\":{\"content\":\"\"},\"done\":true,"
                                    "\"prompt_eval_count\":4,\"eval_count\":9}\n"}));
    EXPECT_THAT(native, HasSubstr(" tokens=9 "));
    EXPECT_THAT(native, Not(HasSubstr("estimated")));
    const std::string whole =
        line_of(kChat, support::chat_body(),
                ScriptedBackend::answering_json(
                    R"({"choices":[{"message":{"content":"one two"},"finish_reason":"stop"}],)"
                    R"("usage":{"prompt_tokens":4,"completion_tokens":5}})"));
    EXPECT_THAT(whole, HasSubstr(" tokens=5 "));
    EXPECT_THAT(whole, Not(HasSubstr("estimated")));
}

}  // namespace
}  // namespace ollama_proxy
