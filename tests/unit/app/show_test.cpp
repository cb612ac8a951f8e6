#include "app/show.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy::app {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

json two_backends() {
    return json::parse(R"({"backends":[
      {"id":"npu","name":"NPU","hardware":"npu","enabled":true,"state":"healthy","healthy":true,
       "circuit":"closed","reason":"","models":["a","b"],"queue_depth":2,"in_flight":1,
       "avg_latency_ms":812.34,"power_watts":3.0,"temperature_c":null,"throttled":false},
      {"id":"gpu","name":"GPU","hardware":"nvidia","enabled":true,"state":"unhealthy",
       "healthy":false,"circuit":"closed","reason":"Connection refused","models":[],
       "queue_depth":0,"in_flight":3,"avg_latency_ms":150,"power_watts":null,
       "temperature_c":61.04,"throttled":false}]})");
}

TEST(Show, BackendsAsATable) {
    EXPECT_EQ(show_backends(two_backends(), false),
              "ID   NAME  HARDWARE  STATE      LATENCY ms  POWER W  TEMP °C  QUEUE  BUSY  MODELS  "
              "REASON\n"
              "npu  NPU   npu       healthy         812.3        3        -      2     1       2\n"
              "gpu  GPU   nvidia    unhealthy         150        -       61      0     3       0  "
              "Connection refused\n");
}

TEST(Show, ALatencyThatNobodyKnowsIsNotNought) {
    json reply = two_backends();
    reply["backends"].erase(1);
    reply["backends"][0]["avg_latency_ms"] = 0.0;
    EXPECT_EQ(show_backends(reply, false),
              "ID   NAME  HARDWARE  STATE    LATENCY ms  POWER W  TEMP °C  QUEUE  BUSY  MODELS  "
              "REASON\n"
              "npu  NPU   npu       healthy           -        3        -      2     1       2\n");
}

TEST(Show, ABackendWithAnOpenCircuitIsNotShownAsHealthy) {
    json reply = two_backends();
    reply["backends"][0]["circuit"] = "half-open";
    EXPECT_THAT(show_backends(reply, true), HasSubstr("\x1b[33mcircuit half-open\x1b[0m"));
    EXPECT_THAT(show_backends(reply, true), HasSubstr("\x1b[31munhealthy\x1b[0m"));
}

TEST(Show, NothingThereIsSaidInWords) {
    EXPECT_EQ(show_backends(json::object(), false), "no backends\n");
    EXPECT_EQ(show_models(json{{"data", json::array()}}, false), "no models\n");
}

TEST(Show, ModelsWithTheirBackends) {
    const json reply = json::parse(R"({"data":[
        {"id":"qwen2.5:0.5b","loaded":true,"backends":["npu","gpu"]},
        {"id":"phi4","loaded":false,"backends":["gpu"]}, {"id":"bare"}]})");
    EXPECT_EQ(show_models(reply, false),
              "MODEL         LOADED  BACKENDS\n"
              "qwen2.5:0.5b  yes     npu, gpu\n"
              "phi4                  gpu\n"
              "bare\n");
}

TEST(Show, StatusOfADaemonThatKnowsItsMachine) {
    const json health = json::parse(R"({"status":"degraded","version":"9.9","mode":"Auto"})");
    const json efficiency = json::parse(
        R"({"mode":"Auto","effective_mode":"Quiet","reason":"thermal-high-87",
            "system_state":{"on_battery":true,"battery_level":63}})");
    const json thermal = json::parse(
        R"({"cpu_temperature_c":87.4,"gpu_temperature_c":null,"fan_speed_rpm":2100,
            "thermal_state":"high"})");
    const std::string text =
        show_status({health, two_backends(), efficiency, thermal}, "http://x:1", false);
    EXPECT_THAT(text, StartsWith("ollama-proxy 9.9 at http://x:1: degraded\n"
                                 "mode      Auto, now Quiet (thermal-high-87)\n"
                                 "backends  1 of 2 healthy\n"
                                 "queue     2 waiting, 4 in progress\n"
                                 "heat      CPU 87.4 °C, fan 2100 rpm (high)\n"
                                 "battery   on battery, 63 %\n\n"
                                 "ID "));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(Show, StatusOfADaemonWithoutSensorsSaysNotKnown) {
    const json health = json::parse(R"({"status":"healthy","version":"9.9","mode":"Balanced",
                        "effective_mode":"Balanced"})");
    const std::string text =
        show_status({health, two_backends(), json(), json()}, "http://x:1", true);
    EXPECT_THAT(text, HasSubstr("\x1b[32mhealthy\x1b[0m\nmode      Balanced\n"));
    EXPECT_THAT(text, HasSubstr("heat      not known\nbattery   not known\n"));
}

TEST(Show, FieldsOfAnotherTypeAreNotKnownInsteadOfFatal) {
    const json odd = json::parse(
        R"({"status":7,"version":null,"mode":[],"backends":[null,1,{"id":3,"models":"x"}]})");
    EXPECT_THAT(show_status({odd, odd, odd, odd}, "u", false), HasSubstr("mode      not known"));
    EXPECT_THAT(show_status({json(), json(), json(), json()}, "u", false),
                HasSubstr("no backends"));
}

TEST(Show, ModeWithWhatAppliesNow) {
    EXPECT_EQ(show_mode(json::parse(
                  R"({"mode":"Balanced","effective_mode":"Balanced","reason":"user",
                      "available_modes":["Performance","Balanced"]})")),
              "Balanced (user)\navailable: Performance, Balanced\n");
    EXPECT_EQ(show_mode(json::parse(R"({"mode":"Auto","effective_mode":"Efficiency"})")),
              "Auto, now Efficiency\n");
}

TEST(Show, ExplanationWithScoresTermsAndRefusals) {
    const json reply = json::parse(R"({"model":"phi4","backend":"npu","reason":"balanced",
        "mode":"Balanced","error":null,"candidates":[
        {"backend":"npu","score":4.5,"terms":{"latency":0.25,"power":1},"refusal":null,
         "refusal_text":null,"estimated_latency_ms":812.34,"estimated_power_watts":3},
        {"backend":"gpu","score":5.25,"terms":{"latency":0.75,"power":0.5},
         "refusal":"over_watts","refusal_text":"55 W against X-Max-Power-Watts 5 W",
         "estimated_latency_ms":null,"estimated_power_watts":55}]})");
    EXPECT_EQ(show_explanation(reply, false),
              "phi4: npu (balanced), mode Balanced\n\n"
              "BACKEND  SCORE  latency  power  LATENCY ms  POWER W  REFUSED\n"
              "npu       4.50     0.25   1.00       812.3        3\n"
              "gpu          -     0.75   0.50           -       55  "
              "55 W against X-Max-Power-Watts 5 W\n");
    EXPECT_EQ(show_explanation(json{{"a", 1}}, false), "{\n  \"a\": 1\n}\n");
}

TEST(Show, ExplanationNamesEveryRefusalOfABackend) {
    const json reply = json::parse(R"({"model":"phi4","candidates":[
        {"backend":"gpu","score":1,"refusal":"unhealthy","refusal_text":"asleep",
         "refusals":[{"refusal":"unhealthy","text":"asleep"},
                     {"refusal":"over_watts","text":"55 W against 5 W"},
                     {"refusal":"circuit_open","text":""}]},
        {"backend":"npu","score":1,"refusal":null,"refusals":[]}]})");
    EXPECT_EQ(show_explanation(reply, false),
              "phi4: no backend\n\n"
              "BACKEND  SCORE  LATENCY ms  POWER W  REFUSED\n"
              "gpu          -           -        -  asleep; 55 W against 5 W; circuit_open\n"
              "npu       1.00           -        -\n");
}

TEST(Show, ExplanationWithNobodyToServeSaysWhatARequestWouldGet) {
    const json reply = json::parse(R"({"model":"phi4","backend":null,"reason":null,
        "error":{"status":503,"code":"no_available_backends","message":"none"},"candidates":[
        {"backend":"gpu","score":1,"refusal":"unhealthy"}]})");
    EXPECT_EQ(show_explanation(reply, false),
              "phi4: no backend, answered with 503 no_available_backends\n\n"
              "BACKEND  SCORE  LATENCY ms  POWER W  REFUSED\n"
              "gpu          -           -        -  unhealthy\n");
}

}  // namespace
}  // namespace ollama_proxy::app
