#!/usr/bin/env bash
# Runs one file of tests/e2e/gnome/unit; skipped (77) where gjs is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v gjs >/dev/null || { echo "skipped: no gjs (scripts/install-deps.sh test)"; exit 77; }
if [[ $1 != *translation* ]]; then
    exec gjs -m "$1"
fi
command -v msgfmt >/dev/null || { echo "skipped: no msgfmt (scripts/install-deps.sh test)"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
../../../gnome-extension/pack.py --shell 45 --into "$folder/extension"
LC_ALL=C.UTF-8 LANGUAGE=de gjs -m "$1" "$folder/extension/locale"
