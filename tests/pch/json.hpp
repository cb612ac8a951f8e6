// The same, and JSON.
#include "pch/plain.hpp"

#include <nlohmann/json.hpp>

// Compiled once, in json.cpp: each test file had a parser and a serializer of its own, a second of
// compile time.
namespace nlohmann {
extern template class basic_json<>;
namespace detail {
extern template class serializer<json>;
extern template class lexer<json, iterator_input_adapter<std::string::const_iterator>>;
extern template class lexer<json, iterator_input_adapter<const char*>>;
extern template class parser<json, iterator_input_adapter<std::string::const_iterator>>;
extern template class parser<json, iterator_input_adapter<const char*>>;
}  // namespace detail
}  // namespace nlohmann
extern template class std::vector<nlohmann::json>;
