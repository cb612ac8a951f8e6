#include "ollama_proxy/runtime/spare_buffers.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::runtime {
namespace {

TEST(SpareBuffers, GivesTheMemoryOfOneToTheNext) {
    SpareBuffers spares;
    std::string buffer(2048, 'x');
    const char* memory = buffer.data();
    spares.give(buffer);
    EXPECT_EQ(buffer.capacity(), std::string().capacity());
    const std::string next = spares.take();
    EXPECT_EQ(next.data(), memory);
    EXPECT_EQ(next, "");
    EXPECT_EQ(spares.take().capacity(), std::string().capacity()) << "there was one only";
}

TEST(SpareBuffers, KeepsNeitherTheSmallNorTheHugeNorTooMany) {
    SpareBuffers spares;
    std::string small(100, 'x');
    std::string huge(64 * 1024, 'x');
    spares.give(small);
    spares.give(huge);
    EXPECT_EQ(huge.capacity(), std::string().capacity()) << "its memory is gone all the same";
    EXPECT_EQ(spares.size(), 0U);
    for (std::size_t i = 0; i < SpareBuffers::kKept + 5; ++i) {
        std::string one(2048, 'x');
        spares.give(one);
    }
    EXPECT_EQ(spares.size(), SpareBuffers::kKept);
}

}  // namespace
}  // namespace ollama_proxy::runtime
