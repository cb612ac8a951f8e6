"""Starts the real daemon for a test, on free ports and with nothing of the user's: no configuration, no state."""

import json
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

BINARY = os.environ.get("OLLAMA_PROXY_BINARY") or str(Path(__file__).parents[3] / "build/release/ollama-proxy")
START_LIMIT_S = 10


class Daemon:
    """`config` is written as the configuration file (JSON is YAML); without one the daemon simulates its backends."""

    def __init__(self, config=None):
        self.folder = tempfile.TemporaryDirectory(prefix="ollama-proxy-e2e-")
        command = [BINARY, "--http-port", "0"]
        if config is None:
            command += ["--demo", "--grpc-port", "0"]
        else:
            file = Path(self.folder.name, "config.yaml")
            file.write_text(json.dumps(self._with_test_defaults(config)), encoding="utf-8")
            command += ["--config", str(file)]
        env = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")}
        env.update(XDG_CONFIG_HOME=self.folder.name, XDG_STATE_HOME=self.folder.name, HOME=self.folder.name)
        self.process = subprocess.Popen(command, cwd=self.folder.name, env=env, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = []
        self._addresses = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.url = self._addresses.get(timeout=START_LIMIT_S)
            if not self.url:
                raise queue.Empty
        except queue.Empty:
            self.process.kill()
            raise RuntimeError("the daemon printed no address\n" + "\n".join(self.lines)) from None

    @property
    def grpc(self):
        """HOST:PORT of gRPC, where the configuration has it on."""
        found = (re.search(r"gRPC on (127\.0\.0\.1:\d+)", line) for line in self.lines)
        return next((match[1] for match in found if match), None)

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            found = re.search(r"https?://(?:localhost|[\d.]+):(\d+)", line) or re.search(r"127\.0\.0\.1:(\d+)", line)
            if found:
                self._addresses.put(f"http://127.0.0.1:{found[1]}")
        self._addresses.put(None)

    def _with_test_defaults(self, config):
        return {"monitors": {"enabled": False}, "dbus": {"enabled": False}, "notifications": {"enabled": False},
                "state_dir": self.folder.name, **config,
                "server": {"grpc_port": None, "shutdown_grace_ms": 1000, **config.get("server", {})}}

    def until_ready(self):
        end = time.monotonic() + START_LIMIT_S
        while True:
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=5):
                    return
            except urllib.error.HTTPError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.folder.cleanup()
        if code != 0:
            raise RuntimeError(f"the daemon ended with {code}\n" + "\n".join(self.lines))
