# Sourced by the scripts beside it. Sets `root`, the tree's top, and the two ways of speaking.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # used by the scripts that source this
scripts=$root/scripts

say() { printf '== %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# Prints the comment block at the head of the calling script: its help.
print_help() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# Prints the name of a clang tool that is here, 19 first: it is what the presets name and CI checks with.
find_clang_tool() {
    local tool=$1 version
    for version in 19 22 21 20 18 17 16; do
        if command -v "$tool-$version" >/dev/null; then
            echo "$tool-$version"
            return
        fi
    done
    command -v "$tool" >/dev/null || die "$tool is not installed (scripts/install-deps.sh sanitizers)"
    echo "$tool"
}

# Runs a command that builds: on a terminal one sees it work, elsewhere its output is shown when it fails.
build_step() {
    local log=$1
    shift
    if [[ -t 2 ]]; then
        "$@" >&2
    else
        mkdir -p "$(dirname "$log")"
        "$@" >"$log" 2>&1 && return
        # ninja repeats the whole command in front of the message: from the first failure on is what counts
        { sed -n '/^FAILED/,$p' "$log" | grep -a . || tail -n 60 "$log"; } | head -n 200 >&2
        return 1
    fi
}

# Configures a preset; further arguments go to cmake.
configure() {
    local preset=$1
    shift
    build_step "$root/build/$preset/configure.log" cmake -S "$root" --preset "$preset" "$@"
}
