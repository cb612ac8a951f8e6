#!/usr/bin/env bash
# Runs clang-tidy over src/ against the asan build's compile commands (it is the one that clang compiles).
#   scripts/tidy.sh [regular expression of paths, default all of src/]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    -h | --help)
        print_help
        exit
        ;;
esac
"$scripts/install-deps.sh" build test sanitizers
[[ -f $root/build/asan/build.ninja ]] || configure asan -DCMAKE_CXX_COMPILER="$(find_clang_tool clang++)"
# The compile commands name the precompiled header and generated files: they have to exist.
build_step "$root/build/asan/tidy-build.log" cmake --build "$root/build/asan" --target ollama_proxy_asio
tidy=$(find_clang_tool clang-tidy)
runner=$(find_clang_tool run-clang-tidy)
"$runner" -quiet -clang-tidy-binary "$(command -v "$tidy")" -p "$root/build/asan" -j "${JOBS:-$(nproc)}" \
    "${1:-^$root/src/}" 2>/dev/null
