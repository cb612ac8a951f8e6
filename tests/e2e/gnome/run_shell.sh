#!/usr/bin/env bash
# Runs the tests in a headless GNOME Shell; skipped (77) where it, or what drives it, is missing.
#   tests/e2e/gnome/run_shell.sh [names of tests]
# Environment: OLLAMA_PROXY_BINARY is the daemon; GNOME_TEST_PICTURES a folder that keeps pictures of the shell.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
skip() { echo "skipped: $* (scripts/install-deps.sh test)"; exit 77; }
python=/usr/bin/python3 # Debian's, which sees Debian's modules
[[ -x $python ]] || python=python3
for program in dbus-daemon gdbus glib-compile-schemas; do
    command -v "$program" >/dev/null || skip "no $program"
done
"$python" -c 'import dbus, dbusmock, gi' 2>/dev/null || skip "no python3-dbusmock"
if [[ -z ${GNOME_TEST_ROOT:-} ]]; then
    command -v gnome-shell >/dev/null || skip "no GNOME Shell"
    version=$(gnome-shell --version) || skip "GNOME Shell cannot run here"
    version=${version//[!0-9.]/}
    ((${version%%.*} >= 43)) || skip "GNOME Shell $version is older than 43"
fi
# Where one may: whatever kills this takes the shell and the buses with it.
alone=(unshare --pid --fork --kill-child --mount-proc)
"${alone[@]}" true 2>/dev/null || alone=()
exec "${alone[@]}" "$python" shell_test.py -v "$@"
