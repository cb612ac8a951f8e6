#include "ollama_proxy/codec/tool_calls.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy::codec {
namespace {

using Json = nlohmann::json;

TEST(ToolCalls, JoinsFragmentsByTheirIndex) {
    ToolCalls calls;
    calls.add(R"([{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}])");
    calls.add(R"([{"index":0,"function":{"arguments":"{\"x\":"}}])");
    calls.add(R"([{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}])");
    calls.add("");
    calls.add(R"([{"index":0,"function":{"arguments":"1}"}}])");
    EXPECT_EQ(Json::parse(calls.json()), Json::parse(R"([
        {"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
        {"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}])"));
}

TEST(ToolCalls, TakesTheWholeCallsOfOllamaOneAfterTheOther) {
    ToolCalls calls;
    calls.add(R"([{"function":{"index":0,"name":"f","arguments":{"x":1}}}])");
    calls.add(R"([{"function":{"index":0,"name":"g","arguments":{}}}])");
    EXPECT_EQ(Json::parse(calls.json()), Json::parse(R"([
        {"id":"call_0","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
        {"id":"call_1","type":"function","function":{"name":"g","arguments":"{}"}}])"));
}

TEST(ToolCalls, IsEmptyWithoutAny) {
    ToolCalls calls;
    EXPECT_TRUE(calls.empty());
    EXPECT_EQ(calls.json(), "");
}

TEST(ToolCalls, IsBounded) {
    ToolCalls calls;
    const std::string fragment =
        R"([{"index":0,"function":{"arguments":")" + std::string(100000, 'x') + R"("}}])";
    for (int i = 0; i < 20; ++i) calls.add(fragment);
    EXPECT_TRUE(calls.overflowed());
    EXPECT_LT(calls.json().size(), ToolCalls::kMaxBytes);
}

}  // namespace
}  // namespace ollama_proxy::codec
