"""`cmake --install --prefix`: everything is there, and what names the binary names the installed one."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

BUILD = os.environ["OLLAMA_PROXY_BUILD"]
SERVICES = ("Efficiency", "Backends", "Routing", "Thermal", "SystemState")


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ollama-proxy-install-")
        cls.addClassCleanup(folder.cleanup)
        cls.prefix = Path(folder.name)
        subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.prefix], check=True, capture_output=True,
                       timeout=60, env={**os.environ, "DESTDIR": ""})

    def test_the_binary_runs(self):
        run = subprocess.run([self.prefix / "bin/ollama-proxy", "--version"], capture_output=True, text=True, timeout=60,
                             check=True)
        self.assertIn("ollama-proxy", run.stdout)

    def test_units_start_the_binary_of_this_prefix(self):
        files = [self.prefix / "lib/systemd/user/ie.fio.ollamaproxy.service"]
        files += [self.prefix / f"share/dbus-1/services/ie.fio.OllamaProxy.{name}.service" for name in SERVICES]
        for file in files:
            with self.subTest(file=file.name):
                text = file.read_text(encoding="utf-8")
                self.assertEqual(re.findall(r"^Exec(?:Start)?=(\S+)", text, re.MULTILINE),
                                 [f"{self.prefix}/bin/ollama-proxy"])
                self.assertNotRegex(text, r"@\w+@")

    def test_the_installed_configuration_is_good(self):
        run = subprocess.run([self.prefix / "bin/ollama-proxy", "check-config", "--config",
                              self.prefix / "share/ollama-proxy/config.yaml"],
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)


if __name__ == "__main__":
    unittest.main()
