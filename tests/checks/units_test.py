"""The systemd units: what systemd-analyze says of their form and of their hardening, as if for a user's manager."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

UNITS = Path(__file__).parents[2] / "systemd"
SERVICE = Path(os.environ.get("OLLAMA_PROXY_SERVICE", "no service"))
BINARY = os.environ.get("OLLAMA_PROXY_BINARY", "/bin/true")
MOST_EXPOSED = 6.5  # what every user manager can apply
MOST_EXPOSED_STRICT = 4.0  # with the drop-in


class Units(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ollama-proxy-units-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        text = SERVICE.read_text(encoding="utf-8")
        # it is not installed here, and verify looks for the program
        text = re.sub(r"^ExecStart=\S+", f"ExecStart={BINARY}", text, flags=re.MULTILINE)
        self.service = self.folder / SERVICE.name
        self.service.write_text(text, encoding="utf-8")
        self.socket = Path(shutil.copy(UNITS / "ie.fio.ollamaproxy.socket", self.folder))

    def analyze(self, *arguments):
        run = subprocess.run(["systemd-analyze", "--user", *arguments], capture_output=True, text=True, timeout=60,
                             check=False, env={**os.environ, "XDG_RUNTIME_DIR": str(self.folder), "LC_ALL": "C.UTF-8"})
        return run.returncode, run.stdout + run.stderr

    def be_strict(self):
        drop_ins = self.folder / (SERVICE.name + ".d")
        drop_ins.mkdir()
        shutil.copy(UNITS / "strict.conf", drop_ins)

    def exposure(self):
        status, text = self.analyze("security", "--offline=true", self.service)
        self.assertEqual(status, 0, text)
        return float(re.search(r"Overall exposure level for \S+ ([0-9.]+)", text)[1])

    def test_systemd_has_nothing_to_say_against_them(self):
        self.assertEqual(self.analyze("verify", self.service, self.socket), (0, ""))
        self.be_strict()
        self.assertEqual(self.analyze("verify", self.service), (0, ""))

    def test_an_error_in_one_would_be_seen(self):
        with self.service.open("a", encoding="utf-8") as unit:
            unit.write("[Service]\nRestartSecs=3\n")
        self.assertIn("RestartSecs", self.analyze("verify", self.service)[1])

    def test_they_are_hardened(self):
        self.assertLessEqual(self.exposure(), MOST_EXPOSED)
        self.be_strict()
        self.assertLessEqual(self.exposure(), MOST_EXPOSED_STRICT)


if __name__ == "__main__":
    if not shutil.which("systemd-analyze") or not SERVICE.exists():
        print("skipped: no systemd-analyze, or no service")
        sys.exit(77)
    unittest.main()
