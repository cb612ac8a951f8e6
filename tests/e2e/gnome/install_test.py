#!/usr/bin/env python3
"""scripts/install-gnome-integration.sh in a home folder of its own."""

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts/install-gnome-integration.sh"
BINARY = os.environ["OLLAMA_PROXY_BINARY"]
UUID = "ollamaproxy@anthropic.com"
PARTS = ("Efficiency", "Backends", "Routing", "Thermal", "SystemState")


class Home(unittest.TestCase):
    def setUp(self):
        if not shutil.which("glib-compile-schemas"):
            self.skipTest("no glib-compile-schemas (scripts/install-deps.sh test)")
        folder = tempfile.TemporaryDirectory(prefix="ollama-proxy-install-")
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name, "home")
        self.tools = Path(folder.name, "tools")
        self.home.mkdir()
        self.tools.mkdir()
        self.data = self.home / ".local/share"
        self.tool("gnome-shell", 'echo "GNOME Shell 43.9"')
        self.tool("systemctl", '[[ $1 == --version ]] && echo "systemd 252 (252.39)" && exit; exit 1')
        self.tool("gnome-extensions", "exit 2")

    def tool(self, name, body):
        """A stand-in, found before the real one."""
        file = self.tools / name
        file.write_text(f"#!/bin/bash\n{body}\n", encoding="ascii")
        file.chmod(0o755)

    def run_script(self, *arguments, good=True, **environment):
        result = subprocess.run(
            [str(SCRIPT), *arguments], capture_output=True, text=True, timeout=100,
            env={"HOME": str(self.home), "PATH": f"{self.tools}:{os.environ['PATH']}", **environment})
        self.assertEqual(result.returncode == 0, good, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def install(self, *arguments):
        return self.run_script("--binary", BINARY, *arguments)

    def files(self):
        return {str(path.relative_to(self.home)): path.stat().st_mtime_ns
                for path in self.home.rglob("*") if path.is_file()}

    def text(self, path):
        return (self.data / path).read_text(encoding="utf-8")

    def test_installs_everything_and_says_what_to_do_next(self):
        told = self.install()
        for path in (f"gnome-shell/extensions/{UUID}/extension.js", "applications/ie.fio.ollamaproxy.desktop",
                     f"gnome-shell/extensions/{UUID}/schemas/gschemas.compiled",
                     "glib-2.0/schemas/gschemas.compiled", "systemd/user/ie.fio.ollamaproxy.service",
                     "systemd/user/ie.fio.ollamaproxy.socket",
                     *(f"dbus-1/services/ie.fio.OllamaProxy.{part}.service" for part in PARTS)):
            self.assertTrue((self.data / path).is_file(), path)
        for step in ("systemctl --user enable --now", "log out", f"gnome-extensions enable {UUID}"):
            self.assertIn(step, told)
        self.assertIn(f"ExecStart={BINARY} serve", self.text("systemd/user/ie.fio.ollamaproxy.service"))
        self.assertNotIn("@", self.text("systemd/user/ie.fio.ollamaproxy.service").replace("@system-service", "")
                         .replace("@privileged", "").replace("@resources", ""))

    def test_a_second_time_changes_nothing(self):
        self.install()
        before = self.files()
        self.assertIn("installed already", self.install())
        self.assertEqual(self.files(), before)

    def test_a_file_that_differs_is_brought_up_to_date(self):
        self.install()
        desktop = self.data / "applications/ie.fio.ollamaproxy.desktop"
        wanted = desktop.read_text(encoding="utf-8")
        desktop.write_text("old", encoding="ascii")
        stale = self.data / f"gnome-shell/extensions/{UUID}/stale.js"
        stale.write_text("old", encoding="ascii")
        told = self.install()
        self.assertIn(f"installed {desktop}", told)
        self.assertEqual(desktop.read_text(encoding="utf-8"), wanted)
        self.assertFalse(stale.exists())

    def test_a_dry_run_changes_nothing(self):
        self.assertIn("would install", self.install("--dry-run"))
        self.assertEqual(self.files(), {})
        self.install()
        before = self.files()
        self.assertIn("would remove", self.run_script("--uninstall", "--dry-run"))
        self.assertEqual(self.files(), before)

    def test_uninstall_leaves_what_is_not_ours(self):
        others = self.data / "glib-2.0/schemas/org.example.other.gschema.xml"
        others.parent.mkdir(parents=True)
        others.write_text('<schemalist><schema id="org.example.other" path="/o/"/></schemalist>', encoding="ascii")
        self.install()
        told = self.run_script("--uninstall")
        self.assertIn("removed", told)
        self.assertEqual(set(self.files()), {".local/share/glib-2.0/schemas/org.example.other.gschema.xml",
                                             ".local/share/glib-2.0/schemas/gschemas.compiled"})
        self.assertIn("nothing of it is installed", self.run_script("--uninstall"))

    def test_uninstall_leaves_an_empty_home_empty(self):
        self.install()
        self.run_script("--uninstall")
        self.assertEqual(self.files(), {})
        self.assertFalse((self.data / "gnome-shell").exists())
        self.assertTrue(self.home.is_dir())

    def test_the_build_is_that_of_the_shell(self):
        for shell, old in (("43.9", True), ("44.0", True), ("45.beta", False), ("48.7", False), ("51.beta", False)):
            self.tool("gnome-shell", f'echo "GNOME Shell {shell}"')
            self.install()
            entry = self.text(f"gnome-shell/extensions/{UUID}/extension.js")
            with self.subTest(shell=shell):
                self.assertEqual("imports.misc" in entry, old)
                self.assertIn(shell[:2], json.loads(self.text(f"gnome-shell/extensions/{UUID}/metadata.json"))
                              ["shell-version"])
        self.assertIn("too old", self.run_script("--binary", BINARY, "--shell", "42.1", good=False))

    def test_reload_is_told_to_a_systemd_that_knows_it(self):
        self.install()
        self.assertIn("\nType=notify\n", self.text("systemd/user/ie.fio.ollamaproxy.service"))
        self.assertIn("\nExecReload=/bin/kill -HUP $MAINPID\n", self.text("systemd/user/ie.fio.ollamaproxy.service"))
        self.tool("systemctl", '[[ $1 == --version ]] && echo "systemd 257 (257.1-1)" && exit; exit 1')
        self.install()
        self.assertIn("\nType=notify-reload\n", self.text("systemd/user/ie.fio.ollamaproxy.service"))
        self.assertNotIn("ExecReload", self.text("systemd/user/ie.fio.ollamaproxy.service"))

    def test_changed_units_are_told_to_systemd(self):
        calls = self.home.parent / "calls"
        self.tool("systemctl", f'[[ $1 == --version ]] && echo "systemd 252 (252.39)"; echo "$*" >>"{calls}"')
        self.install()
        calls.unlink()
        other = self.tools / "ollama-proxy"
        other.symlink_to("/bin/true")
        self.assertNotIn("installed already", self.run_script("--binary", str(other)))
        self.assertIn("--user daemon-reload", calls.read_text(encoding="utf-8"))

    def test_what_cannot_work_is_refused_with_a_remedy(self):
        self.assertIn("--binary", self.run_script("--binary", "/nowhere/ollama-proxy", good=False))
        self.assertIn("without sudo", self.run_script(good=False, SUDO_USER="somebody"))
        self.assertIn("--help", self.run_script("--frobnicate", good=False))
        self.assertEqual(self.files(), {})

    @unittest.skipUnless(shutil.which("dbus-daemon") and shutil.which("gdbus"), "no dbus-daemon or gdbus")
    def test_the_bus_starts_the_daemon_for_each_of_the_five(self):
        self.install()
        config = self.home / ".config/ollama-proxy/config.yaml"
        config.parent.mkdir(parents=True)
        config.write_text(json.dumps({
            "server": {"http_port": 0, "grpc_port": None, "shutdown_grace_ms": 500}, "monitors": {"enabled": False},
            "notifications": {"enabled": False}, "state_dir": str(self.home),
            "backends": [{"id": "none", "endpoint": "http://127.0.0.1:9"}]}), encoding="utf-8")
        for part in PARTS:
            with self.subTest(part=part):
                self.activate(part)

    def activate(self, part):
        environment = {"HOME": str(self.home), "XDG_DATA_HOME": str(self.data), "PATH": os.environ["PATH"],
                       "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.home}/none"}
        bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:dir={self.home}",
             "--print-address"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            address = bus.stdout.readline().strip()

            def call(name, path, method, *arguments):
                return subprocess.run(
                    ["gdbus", "call", "--timeout", "90", "--address", address, "-d", name, "-o", path, "-m", method, *arguments],
                    env=environment, capture_output=True, text=True, timeout=100, check=True).stdout
            name = f"ie.fio.OllamaProxy.{part}"
            call(name, f"/ie/fio/OllamaProxy/{part}", "org.freedesktop.DBus.Peer.Ping")
            answer = call("org.freedesktop.DBus", "/org/freedesktop/DBus",
                          "org.freedesktop.DBus.GetConnectionUnixProcessID", name)
            process = int(answer.split("uint32")[1].strip(" ,)\n"))
            self.assertEqual(os.path.realpath(f"/proc/{process}/exe"), os.path.realpath(BINARY))
            waiting = os.pidfd_open(process)
            os.kill(process, signal.SIGTERM)
            self.assertTrue(select.select([waiting], [], [], 60)[0], "it does not end")
            os.close(waiting)
        finally:
            bus.kill()
            bus.wait()
            bus.stdout.close()


if __name__ == "__main__":
    unittest.main()
