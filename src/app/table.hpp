#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::app {

enum class Colour { none, green, yellow, red };

/// Text for a person, with colour only where it shows.
struct Cell {
    std::string text;
    Colour colour = Colour::none;
};

/// Rows of cells in aligned columns, two blanks between them; the first row is the header, a
/// column that `right` names is aligned to the right.
class Table {
  public:
    struct Column {
        std::string title;
        bool right = false;
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    /// Missing cells are empty, surplus ones are dropped.
    void add(std::vector<Cell> row);
    [[nodiscard]] bool empty() const { return rows_.empty(); }
    /// Every line ends with a newline and has no blanks before it.
    [[nodiscard]] std::string text(bool colour) const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

/// `text` in colour, or as it is.
[[nodiscard]] std::string paint(std::string_view text, Colour colour, bool enabled);

/// What is safe on a terminal: control characters become blanks. Names come from backends.
[[nodiscard]] std::string printable(std::string_view text);

/// Columns that UTF-8 text takes on a terminal, one for each code point.
[[nodiscard]] std::size_t width_of(std::string_view text);

}  // namespace ollama_proxy::app
