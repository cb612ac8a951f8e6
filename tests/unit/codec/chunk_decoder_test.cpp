#include "ollama_proxy/codec/http1.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ollama_proxy::codec {
namespace {

using State = ChunkDecoder::State;

struct Decoded {
    std::string payload;
    State state = State::more;
    std::size_t consumed = 0;
};

Decoded decode(const std::vector<std::string>& pieces) {
    ChunkDecoder decoder;
    Decoded result;
    std::vector<std::string_view> views;
    for (const std::string& piece : pieces) {
        views.clear();
        const ChunkDecoder::Step step = decoder.feed(piece, views);
        for (const std::string_view view : views) result.payload += view;
        result.state = step.state;
        result.consumed += step.consumed;
        if (step.state == State::more) {
            EXPECT_EQ(step.consumed, piece.size());
        }
    }
    return result;
}

const std::string kBody =
    "5\r\nhello\r\n00A;name=\"v\"\r\n, big\nworl\r\n1\r\nd\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n";

TEST(ChunkDecoder, GivesTheSamePayloadAtEverySplit) {
    for (std::size_t a = 0; a <= kBody.size(); ++a) {
        for (std::size_t b = a; b <= kBody.size(); ++b) {
            const Decoded got =
                decode({kBody.substr(0, a), kBody.substr(a, b - a), kBody.substr(b)});
            ASSERT_EQ(got.payload, "hello, big\nworld") << a << " " << b;
            ASSERT_EQ(got.state, State::done) << a << " " << b;
            ASSERT_EQ(got.consumed, kBody.size());
        }
    }
}

TEST(ChunkDecoder, IsNotDoneBeforeTheLastByte) {
    for (std::size_t size = 0; size < kBody.size(); ++size) {
        EXPECT_EQ(decode({kBody.substr(0, size)}).state, State::more) << size;
    }
}

TEST(ChunkDecoder, LeavesTheBytesAfterTheBodyAlone) {
    const Decoded got = decode({kBody + "HTTP/1.1 200 OK"});
    EXPECT_EQ(got.state, State::done);
    EXPECT_EQ(got.consumed, kBody.size());
}

TEST(ChunkDecoder, KnowsWhetherAChunkIsOpen) {
    ChunkDecoder decoder;
    std::vector<std::string_view> views;
    EXPECT_TRUE(decoder.at_chunk_boundary());
    for (const char* piece : {"2", "\r", "\n", "a", "b", "\r"}) {
        decoder.feed(piece, views);
        EXPECT_FALSE(decoder.at_chunk_boundary()) << views.size();
    }
    decoder.feed("\n", views);
    EXPECT_TRUE(decoder.at_chunk_boundary());
}

TEST(ChunkDecoder, RefusesBrokenFraming) {
    using namespace std::string_literals;
    const std::vector<std::string> rows = {
        "\r\n",
        ";x\r\n",
        "g\r\n",
        "-1\r\n",
        "+1\r\na\r\n",
        "0x1\r\na\r\n",
        " 1\r\na\r\n",
        "1 \r\na\r\n",
        "1\na\n",
        "1\r\r\na",
        "1\n\r\na",
        "1\r\nab\r\n",
        "1\r\na\n",
        "1\r\na\rb",
        "1;a\0b\r\n"s,
        "1;a\nb\r\n",
        "1;" + std::string(257, 'x') + "\r\n",
        std::string(19, '0') + "1\r\n",
        std::string(19, '0') + "\r\n",
        "8000000000000000\r\n",
        "fffffffffffffffff\r\n",
        "0\r\n\n",
        "0\r\nA: b\n",
        "0\r\nA: b\r\n c\r\n\r\n",
        "0\r\nA: \x01\r\n\r\n",
        "0\r\n\rX",
        "0\r\nA: " + std::string(8192, 'x'),
        [] {
            std::string many = "0\r\n";
            for (int i = 0; i < 2000; ++i) many += "A: b\r\n";
            return many;
        }(),
    };
    for (const std::string& row : rows) {
        EXPECT_EQ(decode({row}).state, State::bad) << row.substr(0, 60);
        std::vector<std::string> bytes;
        for (const char c : row) bytes.emplace_back(1, c);
        EXPECT_EQ(decode(bytes).state, State::bad) << row.substr(0, 60);
    }
}

TEST(ChunkDecoder, StaysBrokenAndStaysDone) {
    ChunkDecoder broken;
    std::vector<std::string_view> views;
    EXPECT_EQ(broken.feed("x", views).state, State::bad);
    EXPECT_EQ(broken.feed("1\r\na\r\n", views).state, State::bad);
    ChunkDecoder done;
    EXPECT_EQ(done.feed("0\r\n\r\n", views).state, State::done);
    const ChunkDecoder::Step after = done.feed("1\r\na\r\n", views);
    EXPECT_EQ(after.state, State::done);
    EXPECT_EQ(after.consumed, 0U);
    EXPECT_TRUE(views.empty());
}

TEST(ChunkDecoder, AcceptsTheLargestAllowedSizeLineAndExtension) {
    EXPECT_EQ(decode({std::string(17, '0') + "1;" + std::string(256, 'x') + "\r\na\r\n0\r\n\r\n"})
                  .payload,
              "a");
}

}  // namespace
}  // namespace ollama_proxy::codec
