#!/usr/bin/env bash
# Lints the extension and its tests with the eslint of package.json; skipped (77) where that cannot be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
tests/e2e/run_node.sh --install || exit
exec tests/e2e/node_modules/.bin/eslint --config tests/e2e/gnome/eslint.config.mjs --max-warnings 0 \
    gnome-extension tests/e2e/gnome
