// What json.hpp promises to the test files.
namespace nlohmann {
template class basic_json<>;
namespace detail {
template class serializer<json>;
template class lexer<json, iterator_input_adapter<std::string::const_iterator>>;
template class lexer<json, iterator_input_adapter<const char*>>;
template class parser<json, iterator_input_adapter<std::string::const_iterator>>;
template class parser<json, iterator_input_adapter<const char*>>;
}  // namespace detail
}  // namespace nlohmann
template class std::vector<nlohmann::json>;
