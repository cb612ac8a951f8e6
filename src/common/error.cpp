#include "ollama_proxy/common/error.hpp"

#include <stdexcept>

namespace ollama_proxy {

void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw std::runtime_error(error.param.empty() ? error.message
                                                 : error.param + ": " + error.message);
}

}  // namespace ollama_proxy
