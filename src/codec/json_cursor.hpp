#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::codec {

enum class JsonKind : std::uint8_t { none, null, boolean, number, string, array, object };

/// A validated value as it stands in the text, quotes and brackets included.
struct JsonValue {
    JsonKind kind = JsonKind::none;
    std::string_view raw;

    [[nodiscard]] bool is_true() const { return kind == JsonKind::boolean && raw == "true"; }
    /// Absent or null: both mean "not given".
    [[nodiscard]] bool absent() const { return kind <= JsonKind::null; }
    /// False for "", [] and {} and for everything that is no string, array or object.
    [[nodiscard]] bool has_content() const;
    /// Between the quotes, escapes as they are. Only for strings.
    [[nodiscard]] std::string_view inside() const { return raw.substr(1, raw.size() - 2); }
    [[nodiscard]] std::optional<std::uint64_t> as_count() const;
    [[nodiscard]] std::optional<double> as_number() const;
};

/// Decodes what stands between the quotes of a validated string. A lone surrogate becomes U+FFFD.
[[nodiscard]] std::string decode_json_string(std::string_view inside);

/// One forward pass over a JSON text that validates all it passes: the caller enters the objects
/// it cares for and takes the rest whole. It allocates nothing, builds no tree, needs no padding
/// and leaves numbers of any size to those who read them. UTF-8 is not checked.
///
///     cursor.enter_object();
///     while (cursor.next_member(key)) { if (key == "a") ... else cursor.take(); }
class JsonCursor {
  public:
    enum class Fault : std::uint8_t { none, syntax, depth };

    explicit JsonCursor(std::string_view text, int max_depth = 64)
        : begin_(text.data()), p_(begin_), end_(begin_ + text.size()), max_depth_(max_depth) {}

    /// Kind of the next value by its first byte; `none` at the end or on a fault.
    [[nodiscard]] JsonKind peek();

    /// Steps into the next value; a fault if it is no object (array).
    void enter_object() { enter('{'); }
    void enter_array() { enter('['); }

    /// Next key, as it stands between its quotes; false at the end of the object or on a fault.
    [[nodiscard]] bool next_member(std::string_view& key);
    /// True when another element follows; false at the end of the array or on a fault.
    [[nodiscard]] bool next_element();

    /// Takes the next value whole.
    JsonValue take();

    /// True when nothing but blanks is left and no fault was met.
    [[nodiscard]] bool at_end();
    [[nodiscard]] Fault fault() const { return fault_; }
    [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(p_ - begin_); }

  private:
    void enter(char open);
    [[nodiscard]] bool next(char close);
    bool take_key(std::string_view& key);
    bool take_container();
    bool take_string();
    bool take_number();
    bool take_word(std::string_view word);
    bool take_scalar();
    void skip_blanks() {
        // nearly all that is asked is no blank, and above them all
        if (p_ != end_ && static_cast<unsigned char>(*p_) <= ' ') skip_known_blanks();
    }
    void skip_known_blanks();
    bool fail(Fault fault = Fault::syntax);

    const char* begin_;
    const char* p_;
    const char* end_;
    int max_depth_;
    int depth_ = 0;
    bool fresh_ = false;  ///< just behind an opening bracket
    Fault fault_ = Fault::none;
};

/// Steps into the next value if it is an object and hands each key on; else takes it whole.
/// The handler must take the member's value.
template <class Handler>
void each_member(JsonCursor& cursor, Handler handle) {
    if (cursor.peek() != JsonKind::object) {
        cursor.take();
        return;
    }
    cursor.enter_object();
    std::string_view key;
    while (cursor.next_member(key)) handle(key);
}

}  // namespace ollama_proxy::codec
