#!/usr/bin/env bash
# Builds with tests and runs them.
#   scripts/test.sh                 release build; unit, integration, client (e2e) and tree checks
#   scripts/test.sh --sanitizers    unit and integration tests under AddressSanitizer + UBSan, then ThreadSanitizer
# Missing packages are installed first. It can be run as often as you like, and ends with ctest's summary.
# Environment: OLLAMA_PROXY_WERROR=ON makes warnings errors; JOBS sets how many compilers run at once.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sanitizers=false
for argument in "$@"; do
    case $argument in
        --sanitizers) sanitizers=true ;;
        -h | --help)
            print_help
            exit
            ;;
        *) die "unknown argument '$argument' (see --help)" ;;
    esac
done

jobs=${JOBS:-$(nproc)}
werror=${OLLAMA_PROXY_WERROR:-OFF}

# build_preset PRESET [cmake arguments]: configures and builds everything of it.
build_preset() {
    local preset=$1 started=$SECONDS
    shift
    say "building $preset"
    configure "$preset" -DOLLAMA_PROXY_TESTS=ON -DOLLAMA_PROXY_WERROR="$werror" "$@"
    build_step "$root/build/$preset/build.log" cmake --build "$root/build/$preset" --parallel "$jobs"
    say "built $preset in $((SECONDS - started)) s"
}

# run_tests PRESET [ctest arguments]
run_tests() {
    local preset=$1
    shift
    ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error -j2 "$@"
}

if ! $sanitizers; then
    "$scripts/install-deps.sh" build test
    build_preset release
    run_tests release
else
    "$scripts/install-deps.sh" build test sanitizers
    clang=(-DCMAKE_CXX_COMPILER="$(find_clang_tool clang++)")
    export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:detect_leaks=1:abort_on_error=0
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
    for preset in asan tsan; do
        build_preset "$preset" "${clang[@]}"
        run_tests "$preset" --label-regex '^(unit|integration)$'
    done
fi
