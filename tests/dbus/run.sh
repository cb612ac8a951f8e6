#!/usr/bin/env bash
# Runs one file of tests; skipped (77) where a bus or a library for Python is missing.
set -euo pipefail
python=/usr/bin/python3  # Debian's, which sees Debian's modules
[[ -x $python ]] || python=python3
for program in dbus-daemon gdbus; do
    command -v "$program" >/dev/null || { echo "skipped: no $program (scripts/install-deps.sh test)"; exit 77; }
done
"$python" -c 'import dbus, dbusmock, gi' 2>/dev/null ||
    { echo "skipped: no python3-dbusmock (scripts/install-deps.sh test)"; exit 77; }
exec "$python" "$@" -v
