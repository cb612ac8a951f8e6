#!/usr/bin/env bash
# Builds llama.cpp's server once from the source bundle that the node-llama-cpp package carries, and prints
# the path of the binary. The result is kept in a cache folder outside the tree: it takes minutes to build.
set -euo pipefail

version=3.22.1
cache=${OLLAMA_PROXY_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ollama-proxy-tests}
root=$cache/llama-server-$version
server=$root/llama-server

if [[ ! -x $server ]]; then
    mkdir -p "$root"
    exec 9>"$root/lock" # two runs at once share one build
    flock 9
fi
if [[ ! -x $server ]]; then
    echo "building llama.cpp's server once into $root (about 10 minutes)" >&2
    work=$root/work
    mkdir -p "$work/npm"
    if [[ ! -f $work/source/CMakeLists.txt ]]; then
        echo '{"private": true}' >"$work/npm/package.json"
        npm install --prefix "$work/npm" --ignore-scripts --omit=optional --no-save --silent \
            "node-llama-cpp@$version" >&2
        rm -rf "$work/source"
        git init --quiet "$work/source"
        git -C "$work/source" fetch --quiet "$work/npm/node_modules/node-llama-cpp/llama/gitRelease.bundle" HEAD
        git -C "$work/source" checkout --quiet FETCH_HEAD
    fi
    cmake -S "$work/source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
        -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF \
        -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF >"$root/build.log" 2>&1
    jobs=${OLLAMA_PROXY_ENGINE_JOBS:-$(nproc)}
    cmake --build "$work/build" --target llama-server --parallel "$jobs" >>"$root/build.log" 2>&1 ||
        { tail -20 "$root/build.log" >&2; exit 1; }
    cp "$work/build/bin/llama-server" "$server.new"
    mv "$server.new" "$server"
    rm -rf "$work"
fi
echo "$server"
