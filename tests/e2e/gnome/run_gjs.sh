#!/usr/bin/env bash
# Runs one file of tests/e2e/gnome/unit; skipped (77) where gjs is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v gjs >/dev/null || { echo "skipped: no gjs (scripts/install-deps.sh test)"; exit 77; }
exec gjs -m "$1"
