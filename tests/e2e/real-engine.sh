#!/usr/bin/env bash
# Chats with real language model engines through the daemon: two of llama.cpp's servers with a tiny model as backends,
# and the unmodified openai (Node.js and Python) and Anthropic SDKs as clients. Prints a transcript.
#   tests/e2e/real-engine.sh
# Builds llama.cpp's server the first time (about 10 minutes) and keeps it in ~/.cache/ollama-proxy-tests, or in
# $OLLAMA_PROXY_TEST_CACHE. Not part of scripts/test.sh for that reason.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

case ${1:-} in
    -h | --help)
        awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
        exit
        ;;
esac

"$root/scripts/install-deps.sh" build test
export OLLAMA_PROXY_BINARY=${OLLAMA_PROXY_BINARY:-$root/build/release/ollama-proxy}
[[ -x $OLLAMA_PROXY_BINARY ]] || "$root/scripts/run.sh" --version >/dev/null

server=$("$here/real-engine/build_engine.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/real-engine/make_tiny_gguf.py" "$work/tiny.gguf"

# Both runners install their clients on the first use.
"$here/run_node.sh" --install
python=""
if "$here/run_python.sh" "$root/build" --install; then
    python=$root/build/e2e-python/venv/bin/python
fi
"$OLLAMA_PROXY_BINARY" --version
node "$here/real-engine/session.mjs" "$server" "$work/tiny.gguf" "$python"
