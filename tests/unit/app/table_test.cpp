#include "app/table.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::app {
namespace {

TEST(Table, AlignsColumnsAndLeavesNoBlanksAtTheEndOfALine) {
    Table table({{"ID"}, {"WATTS", true}, {"REASON"}});
    table.add({{"npu"}, {"3"}, {""}});
    table.add({{"nvidia-long"}, {"55.5"}, {"asleep"}});
    EXPECT_EQ(table.text(false),
              "ID           WATTS  REASON\n"
              "npu              3\n"
              "nvidia-long   55.5  asleep\n");
}

TEST(Table, CountsCodePointsNotBytes) {
    Table table({{"N"}, {"X"}});
    table.add({{"°C"}, {"1"}});
    table.add({{"abc"}, {"2"}});
    EXPECT_EQ(table.text(false), "N    X\n°C   1\nabc  2\n");
}

TEST(Table, ColourChangesNoAlignment) {
    Table table({{"S"}, {"X"}});
    table.add({{"ok", Colour::green}, {"1"}});
    table.add({{"down", Colour::red}, {"2"}});
    EXPECT_EQ(table.text(true), "S     X\n\x1b[32mok\x1b[0m    1\n\x1b[31mdown\x1b[0m  2\n");
    EXPECT_EQ(table.text(false), "S     X\nok    1\ndown  2\n");
}

TEST(Table, AnEmptyCellInTheMiddleKeepsItsColumn) {
    Table table({{"A"}, {"B"}, {"C"}});
    table.add({{"1"}, {""}, {"3"}});
    EXPECT_EQ(table.text(true), "A  B  C\n1     3\n");
}

TEST(Table, MissingCellsAreEmptyAndSurplusOnesDropped) {
    Table table({{"A"}, {"B"}});
    EXPECT_TRUE(table.empty());
    table.add({{"1"}});
    table.add({{"1"}, {"2"}, {"3"}});
    EXPECT_FALSE(table.empty());
    EXPECT_EQ(table.text(false), "A  B\n1\n1  2\n");
}

TEST(Table, NamesFromABackendCannotSteerTheTerminal) {
    EXPECT_EQ(printable("a\x1b[2J\nb\x7f\xc2\x9b"
                        "c\xc2\xb0"),
              "a [2J b  c\xc2\xb0");
    Table table({{"A"}});
    table.add({{"x\x1b]0;y"}});
    EXPECT_EQ(table.text(false), "A\nx ]0;y\n");
}

}  // namespace
}  // namespace ollama_proxy::app
