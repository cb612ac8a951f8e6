#!/usr/bin/env bash
# Takes the pictures of docs/guides/gnome.md anew, with what the tests show of the shell.
#   tests/e2e/gnome/pictures.sh [--tree FOLDER]     in the shell that is installed, and in 48 (see run-48.sh)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../../.." && pwd)
export OLLAMA_PROXY_BINARY=${OLLAMA_PROXY_BINARY:-$top/build/release/ollama-proxy} PYTHONDONTWRITEBYTECODE=1
GNOME_TEST_PICTURES=$(mktemp -d)
export GNOME_TEST_PICTURES
trap 'rm -rf "$GNOME_TEST_PICTURES"' EXIT
shown=(-k the_menu_tells -k preferences_open)
"$here/run_shell.sh" "${shown[@]}"
"$here/run-48.sh" "$@" "${shown[@]}"
for picture in tile-48 menu-48 menu-43 preferences-48; do
    install -D -m 644 "$GNOME_TEST_PICTURES/$picture.png" "$top/docs/guides/pictures/gnome-$picture.png"
done
du -cb "$top"/docs/guides/pictures/gnome-*.png
