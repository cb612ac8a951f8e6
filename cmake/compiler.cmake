set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

# ccache keeps a rebuild at seconds, in another checkout too (base directory); precompiled headers need
# the sloppiness that its manual names, and with clang no time stamps in them (a fresh checkout has other times).
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime CCACHE_PCH_EXTSUM=1
        "${CCACHE_PROGRAM}")
endif()

find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM AND NOT OLLAMA_PROXY_FUZZ)
    # cold code stays together, as GNU ld has it by itself: an idle daemon never has it in memory
    add_link_options(-fuse-ld=mold -Wl,-z,keep-text-section-prefix)
endif()
add_link_options(-Wl,--gc-sections)

add_library(ollama_proxy_options INTERFACE)
target_compile_options(ollama_proxy_options INTERFACE
    # lets the linker leave out what nobody calls, see below
    -ffunction-sections -fdata-sections
    -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
    $<$<BOOL:${OLLAMA_PROXY_WERROR}>:-Werror>
    "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>"
    # clang sees libstdc++'s own use of what it deprecates (std::stable_sort); gcc still watches ours
    $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>
    # gcc 12 reports false positives of these inside std and coroutine frames
    $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete -Wno-maybe-uninitialized -Wno-restrict>
    # gcc collects its garbage less often: 8 % of its time for 50 to 130 MB more (kB)
    $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=400000>)
target_include_directories(ollama_proxy_options INTERFACE "${CMAKE_SOURCE_DIR}/include" "${CMAKE_SOURCE_DIR}/src")
target_compile_definitions(ollama_proxy_options INTERFACE
    BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE BOOST_ASIO_SEPARATE_COMPILATION
    BOOST_BEAST_SEPARATE_COMPILATION
    # a request is a dozen nested coroutine frames of very different sizes: Asio's cache of two
    # blocks thrashes on them, malloc's per-thread cache does not
    BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING BOOST_ASIO_DISABLE_STD_ALIGNED_ALLOC
    BOOST_ASIO_DISABLE_BOOST_ALIGN)

if(OLLAMA_PROXY_SANITIZE)
    target_compile_options(ollama_proxy_options INTERFACE
        -fsanitize=${OLLAMA_PROXY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(ollama_proxy_options INTERFACE -fsanitize=${OLLAMA_PROXY_SANITIZE})
endif()
if(OLLAMA_PROXY_FUZZ)
    target_compile_options(ollama_proxy_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
