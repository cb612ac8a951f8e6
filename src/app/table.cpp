#include "app/table.hpp"

#include <algorithm>

namespace ollama_proxy::app {
namespace {

std::string_view code_of(Colour colour) {
    switch (colour) {
        case Colour::green:
            return "\x1b[32m";
        case Colour::yellow:
            return "\x1b[33m";
        case Colour::red:
            return "\x1b[31m";
        case Colour::none:
            break;
    }
    return {};
}

}  // namespace

std::string paint(std::string_view text, Colour colour, bool enabled) {
    if (!enabled || colour == Colour::none || text.empty()) return std::string(text);
    return std::string(code_of(colour)).append(text).append("\x1b[0m");
}

std::string printable(std::string_view text) {
    std::string out(text);
    std::replace_if(
        out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    // The C1 controls are two bytes in UTF-8, and some terminals obey them.
    for (std::size_t at = out.find('\xc2'); at != std::string::npos;
         at = out.find('\xc2', at + 1)) {
        if (at + 1 < out.size() && static_cast<unsigned char>(out[at + 1]) < 0xa0) {
            out.replace(at, 2, 1, ' ');
        }
    }
    return out;
}

std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](unsigned char c) { return (c & 0xc0) != 0x80; }));
}

void Table::add(std::vector<Cell> row) {
    row.resize(columns_.size());
    for (Cell& cell : row) cell.text = printable(cell.text);
    rows_.push_back(std::move(row));
}

std::string Table::text(bool colour) const {
    std::vector<std::vector<Cell>> all;
    all.emplace_back();
    for (const Column& column : columns_) all.front().push_back({column.title});
    all.insert(all.end(), rows_.begin(), rows_.end());

    std::vector<std::size_t> widths(columns_.size(), 0);
    for (const auto& row : all) {
        for (std::size_t i = 0; i < widths.size(); ++i) {
            widths[i] = std::max(widths[i], width_of(row[i].text));
        }
    }
    std::string out;
    for (const auto& row : all) {
        std::string line;
        std::size_t owed = 0;  // blanks that are written only when something follows
        for (std::size_t i = 0; i < widths.size(); ++i) {
            const std::size_t missing = widths[i] - width_of(row[i].text);
            if (columns_[i].right) owed += missing;
            if (!row[i].text.empty()) {
                line.append(owed, ' ').append(paint(row[i].text, row[i].colour, colour));
                owed = 0;
            }
            owed += (columns_[i].right ? 0 : missing) + 2;
        }
        out += line + "\n";
    }
    return out;
}

}  // namespace ollama_proxy::app
