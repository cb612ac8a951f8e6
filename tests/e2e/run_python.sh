#!/usr/bin/env bash
# Runs a Python test with the pinned packages of requirements.txt (or of $REQUIREMENTS beside this script), in a
# virtual environment below the build folder.
#   tests/e2e/run_python.sh BUILD_FOLDER python/clients_test.py
#   tests/e2e/run_python.sh BUILD_FOLDER --install        only installs
# Ends with 77 (skipped) where Python is too old or the packages cannot be had.
set -euo pipefail
requirements=${REQUIREMENTS:-requirements.txt}
environment=$1/e2e-python${REQUIREMENTS:+-${REQUIREMENTS%%/*}}
shift
cd "$(dirname "${BASH_SOURCE[0]}")"

skip() { echo "skipped: $*"; exit 77; }
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "Python 3.10 or newer is not installed"

mkdir -p "$environment"
exec 9<"$requirements" # tests that start together install once
flock 9
if ! cmp -s "$requirements" "$environment/installed.txt"; then
    python3 -m venv --clear "$environment/venv" || skip "python3-venv is not installed"
    "$environment/venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" ||
        skip "the packages of $requirements cannot be installed here"
    cp "$requirements" "$environment/installed.txt"
fi
exec 9>&-
[[ $1 != --install ]] || exit 0
PYTHONDONTWRITEBYTECODE=1 exec "$environment/venv/bin/python" "$@"
