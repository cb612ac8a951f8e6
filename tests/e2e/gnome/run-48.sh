#!/usr/bin/env bash
# Runs the tests of the extension in GNOME Shell 48, which comes out of a tree of Debian 13 that is made first (about
# 1 GB, a minute or two). The daemon and the tests themselves run here. Needs root, mmdebstrap, a built daemon.
#   tests/e2e/gnome/run-48.sh [--tree FOLDER] [names of tests]
# FOLDER is where the tree is, or will be made: build/debian-13 unless given. Ends with 77 where it cannot be had.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../../.." && pwd)
skip() { echo "skipped: $*"; exit 77; }

tree=$top/build/debian-13
if [[ ${1:-} == --tree ]]; then
    tree=$(realpath -m "${2:?a folder}")
    shift 2
fi
((EUID == 0)) || skip "only root can enter another tree (chroot)"

if [[ ! -x $tree/usr/bin/gnome-shell ]]; then
    command -v mmdebstrap >/dev/null || skip "no mmdebstrap to make a tree of Debian 13 with (apt-get install mmdebstrap)"
    mirror=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
    mirror=${mirror:-http://deb.debian.org/debian}
    echo "making a tree of Debian 13 in $tree" >&2
    mmdebstrap --quiet --variant=apt --mode=root --aptopt='APT::Install-Recommends "false"' \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
        --include=ca-certificates,gnome-shell,libgl1-mesa-dri,librsvg2-common,adwaita-icon-theme,fonts-cantarell,dconf-gsettings-backend \
        trixie "$tree" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" ||
        skip "no tree of Debian 13 could be made"
fi
export OLLAMA_PROXY_BINARY=${OLLAMA_PROXY_BINARY:-$top/build/release/ollama-proxy}
export GNOME_TEST_ROOT=$tree PYTHONDONTWRITEBYTECODE=1
exec "$here/run_shell.sh" "$@"
