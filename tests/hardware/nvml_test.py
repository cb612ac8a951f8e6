"""The script that compares NVIDIA's readings with ours, where the library of the tests stands for NVIDIA's."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).with_name("nvml.py")
BINARY = os.environ.get("OLLAMA_PROXY_BINARY", "")
LIBRARY = os.environ.get("FAKE_NVML_FOLDER", "")


class Script(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ollama-proxy-nvml-")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "sys").mkdir()
        version = self.root / "proc/driver/nvidia/version"
        version.parent.mkdir(parents=True)
        version.write_text("NVRM version: 0.0\n", encoding="ascii")
        self.says = self.root / "gpu"
        self.says.write_text("64 71500 900000 45 0 ok\n", encoding="ascii")

    def run_it(self, library):
        nowhere = f"unix:path={self.root}/none"
        run = subprocess.run([sys.executable, SCRIPT, BINARY, self.root], capture_output=True, text=True, timeout=120,
                             check=False, env={**os.environ, "LD_LIBRARY_PATH": library, "FAKE_NVML": str(self.says),
                                               "DBUS_SESSION_BUS_ADDRESS": nowhere,
                                               "DBUS_SYSTEM_BUS_ADDRESS": nowhere})
        return run.returncode, run.stdout

    def test_it_shows_both_and_is_content_when_they_agree(self):
        status, out = self.run_it(LIBRARY)
        self.assertEqual(status, 0, out)
        self.assertIn("NVML: 64 degC, 71.5 W", out)
        self.assertIn('"value": 64', out)
        self.assertIn('"value": 71.5', out)

    def test_without_the_library_it_says_so(self):
        status, out = self.run_it(str(self.root))
        if status != 77:
            self.skipTest("this machine has an NVIDIA GPU")
        self.assertIn("no NVIDIA GPU here", out)


if __name__ == "__main__":
    unittest.main()
