#!/usr/bin/env bash
# Formats the C++ sources with clang-format 19, or checks them.
#   scripts/format.sh            rewrites what is not formatted
#   scripts/format.sh --check    changes nothing, fails and says where something is not formatted
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mode=(-i)
case ${1:-} in
    '') ;;
    --check) mode=(--dry-run -Werror) ;;
    -h | --help)
        print_help
        exit
        ;;
    *) die "unknown argument '$1' (see --help)" ;;
esac
# Another version formats otherwise: better not at all than back and forth.
command -v clang-format-19 >/dev/null || die "clang-format-19 is not installed (scripts/install-deps.sh sanitizers)"
cd "$root"
git ls-files -z -- '*.cpp' '*.hpp' | xargs -0 --no-run-if-empty clang-format-19 "${mode[@]}"
