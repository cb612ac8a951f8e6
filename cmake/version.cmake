# `--version` prints the commit; a tree without git (a source package) prints the project version alone.
find_package(Git QUIET)
set(OLLAMA_PROXY_COMMIT "")
if(Git_FOUND)
    execute_process(COMMAND "${GIT_EXECUTABLE}" -C "${CMAKE_SOURCE_DIR}" rev-parse --short=12 HEAD
                    OUTPUT_VARIABLE OLLAMA_PROXY_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
configure_file("${CMAKE_SOURCE_DIR}/cmake/version.hpp.in" "${CMAKE_BINARY_DIR}/generated/version.hpp" @ONLY)
