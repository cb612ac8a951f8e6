#!/usr/bin/env bash
# The calls of the documentation by reflection alone, with no .proto at hand: grpcurl, installed as a Go module where Go
# is there, else `buf curl` from npm.
#   tests/e2e/run_grpcurl.sh BUILD_FOLDER
# Ends with 77 (skipped) where neither can be had.
set -euo pipefail
tools=$1/e2e-grpcurl
readonly grpcurl_version=v1.9.1 buf_version=1.50.0

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }
contains() { [[ $2 == *"$1"* ]] || fail "no $1 in: $2"; }

mkdir -p "$tools"
if command -v go >/dev/null; then
    [[ -x $tools/grpcurl ]] ||
        GOBIN=$tools GOFLAGS=-mod=mod go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$grpcurl_version" ||
        skip "grpcurl cannot be installed here"
elif command -v npm >/dev/null; then
    [[ -x $tools/node_modules/.bin/buf ]] ||
        npm install --silent --prefix "$tools" --ignore-scripts "@bufbuild/buf@$buf_version" ||
        skip "buf cannot be installed here"
else
    skip "neither Go nor npm is installed"
fi

folder=$(mktemp -d)
: >"$folder/out"
trap 'kill "${daemon-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
HOME=$folder XDG_STATE_HOME=$folder XDG_CONFIG_HOME=$folder "$OLLAMA_PROXY_BINARY" --demo --http-port 0 --grpc-port 0 \
    >"$folder/out" 2>"$folder/err" &
daemon=$!
for ((i = 0; i < 200; i++)); do
    grep -q 'gRPC on' "$folder/out" && break
    sleep 0.05
done
address=localhost:$(sed -nE 's/.*gRPC on 127\.0\.0\.1:([0-9]+).*/\1/p' "$folder/out")
[[ $address == *[0-9] ]] || fail "the daemon did not start: $(cat "$folder/err")"

if [[ -x $tools/grpcurl ]]; then
    services() { "$tools/grpcurl" -plaintext "$address" list; }
    describe() { "$tools/grpcurl" -plaintext "$address" describe "$1"; }
    ask() { "$tools/grpcurl" -plaintext ${2:+-d "$2"} "$address" "$1"; }
else
    buf() { "$tools/node_modules/.bin/buf" curl --protocol grpc --http2-prior-knowledge "$@"; }
    services() { buf --list-services "http://$address"; }
    describe() { buf --list-methods "http://$address"; }
    ask() { buf ${2:+-d "$2"} "http://$address/$1"; }
fi

listed=$(services)
contains ollama_proxy.OllamaProxy "$listed"
contains grpc.health.v1.Health "$listed"
contains GenerateStream "$(describe ollama_proxy.OllamaProxy)"
for ((i = 0; i < 100; i++)); do
    health=$(ask grpc.health.v1.Health/Check)
    [[ $health == *\"SERVING\"* ]] && break
    sleep 0.1
done
contains '"SERVING"' "$health"

answer=$(ask ollama_proxy.OllamaProxy/Generate '{
  "prompt": "Explain AI",
  "model": "qwen2.5:0.5b",
  "annotations": {"latency_critical": true}
}')
contains demo-nvidia "$answer"
contains latency-critical "$answer"
contains tokens "$answer"
contains '"done": true' "$(ask ollama_proxy.OllamaProxy/GenerateStream '{"prompt": "Hi", "model": "qwen2.5:0.5b"}' | sed 's/"done":true/"done": true/')"

kill -TERM "$daemon"
wait "$daemon" || fail "the daemon did not end well"
daemon=
echo "list, describe, health, Generate and GenerateStream by reflection: good"
