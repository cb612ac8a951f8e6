#!/usr/bin/env bash
# Builds ollama-proxy where needed and runs it in the foreground; Ctrl-C stops it.
#   scripts/run.sh [arguments of ollama-proxy]
# Missing packages are installed first. Where there is neither an Ollama on localhost:11434..11437 nor a
# configuration of your own, it starts with four simulated backends (--demo).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    -h | --help)
        print_help
        exit
        ;;
esac

"$scripts/install-deps.sh" build

build=$root/build/release
if [[ ! -f $build/build.ninja ]]; then
    say "configuring"
    configure release -DOLLAMA_PROXY_TESTS=OFF
fi
[[ -x $build/ollama-proxy ]] || say "building ollama-proxy (the first time takes a few minutes)"
build_step "$build/build.log" cmake --build "$build" --target ollama-proxy

# Whether the arguments leave open what to serve: no client command, no configuration, no --demo.
serves_by_default() {
    local argument
    for argument in "$@"; do
        case $argument in
            --config | --config=* | --demo | --help | -h | --version) return 1 ;;
            check-config | status | mode | backends | models | explain) return 1 ;;
        esac
    done
}

# The sample that comes with the tree is nobody's own until somebody changes it.
is_changed_sample() {
    [[ $1 -ef $root/config/config.yaml ]] || return 0
    git -C "$root" rev-parse --verify --quiet HEAD >/dev/null 2>&1 &&
        ! git -C "$root" diff --quiet HEAD -- config/config.yaml
}

has_own_configuration() {
    [[ -z ${OLLAMA_PROXY_CONFIG:-} ]] || return 0
    [[ ! -e ${XDG_CONFIG_HOME:-$HOME/.config}/ollama-proxy/config.yaml ]] || return 0
    [[ ! -e /etc/ollama-proxy/config.yaml ]] || return 0
    [[ -e config/config.yaml ]] && is_changed_sample config/config.yaml
}

ollama_answers() {
    local port reply
    for port in 11434 11435 11436 11437; do
        # shellcheck disable=SC2016  # expanded by the inner shell, which the timeout can end
        reply=$(timeout 1 bash -c 'exec 3<>/dev/tcp/localhost/$0 &&
            printf "GET /api/version HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\n\r\n" "$0" >&3 &&
            head -n 1 <&3' "$port" 2>/dev/null) || continue
        [[ $reply != HTTP/1.*\ 200* ]] || return 0
    done
    return 1
}

if serves_by_default "$@" && ! has_own_configuration && ! ollama_answers; then
    say "no Ollama answers on localhost:11434..11437 and there is no configuration: running with simulated backends (--demo)"
    set -- "$@" --demo
fi
exec "$build/ollama-proxy" "$@"
