"""The files of the tree under test."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {"build", "node_modules", "__pycache__", ".git", ".cache"}


def files():
    """Paths relative to the top: what git knows or would add; without git (a source package) all that lies there."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True, text=True).stdout.split("\0")
        return [path for path in listed if path and (ROOT / path).is_file()]
    except (OSError, subprocess.CalledProcessError):
        return [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")
                if path.is_file() and not NOT_OURS & set(path.relative_to(ROOT).parts)]


def texts():
    """(path, text) of every file that is text."""
    for path in files():
        try:
            yield path, (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
