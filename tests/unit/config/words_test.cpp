#include "ollama_proxy/config/words.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ollama_proxy::config {
namespace {

TEST(ModeWords, AreReadWithAnyCaseAndSeparator) {
    for (const char* text : {"UltraEfficiency", "ultra-efficiency", "Ultra Efficiency",
                             "ultra_efficiency", "ULTRAEFFICIENCY"}) {
        EXPECT_EQ(parse_mode(text), Mode::ultra_efficiency) << text;
    }
    EXPECT_EQ(parse_mode("auto"), Mode::automatic);
    EXPECT_EQ(parse_mode("Automatic"), Mode::automatic);
    EXPECT_EQ(parse_mode("efficiency"), Mode::efficiency);
}

TEST(ModeWords, RefuseWhatIsNoMode) {
    for (const char* text : {"", " ", "ultra", "Efficient", "balanced!", "quietquiet"}) {
        EXPECT_EQ(parse_mode(text), std::nullopt) << text;
    }
}

TEST(ModeWords, SurviveTheRoundTrip) {
    for (const Mode mode : {Mode::performance, Mode::balanced, Mode::efficiency, Mode::quiet,
                            Mode::automatic, Mode::ultra_efficiency}) {
        EXPECT_EQ(parse_mode(to_string(mode)), mode) << to_string(mode);
    }
    EXPECT_EQ(to_string(Mode::automatic), "Auto");
    EXPECT_EQ(to_string(Mode::ultra_efficiency), "UltraEfficiency");
}

TEST(HardwareWords, SurviveTheRoundTrip) {
    for (const Hardware hardware : {Hardware::npu, Hardware::igpu, Hardware::nvidia, Hardware::amd,
                                    Hardware::cpu, Hardware::cloud, Hardware::unknown}) {
        EXPECT_EQ(parse_hardware(to_string(hardware)), hardware) << to_string(hardware);
    }
    EXPECT_EQ(parse_hardware("NVIDIA"), Hardware::nvidia);
    EXPECT_EQ(parse_hardware("tpu"), std::nullopt);
}

TEST(OtherWords, AreReadWithAnyCase) {
    EXPECT_EQ(parse_log_level("Warning"), LogLevel::warn);
    EXPECT_EQ(parse_log_level("loud"), std::nullopt);
    EXPECT_EQ(parse_log_format("JSON"), LogFormat::json);
    EXPECT_EQ(parse_backend_type("OpenAI"), BackendType::openai);
    EXPECT_EQ(parse_backend_type("vllm"), std::nullopt);
}

}  // namespace
}  // namespace ollama_proxy::config
