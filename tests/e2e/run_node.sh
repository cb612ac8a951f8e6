#!/usr/bin/env bash
# Runs one file of tests/e2e/node with the pinned clients of package.json, installing them first where that is needed.
#   tests/e2e/run_node.sh node/openai_demo.test.mjs
#   tests/e2e/run_node.sh --install        only installs
# Ends with 77 (skipped) where Node.js is missing or the packages cannot be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

skip() { echo "skipped: $*"; exit 77; }
{ command -v node && command -v npm; } >/dev/null || skip "Node.js with npm is not installed"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)' || skip "Node.js $(node --version) is too old"

exec 9<package-lock.json # tests that start together install once
flock 9
if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
    npm ci --ignore-scripts --silent || skip "the clients of package.json cannot be installed here"
    cp package-lock.json node_modules/.installed-lock.json
fi
exec 9>&-
[[ $1 != --install ]] || exit 0
exec node --test --test-reporter=spec "$@"
