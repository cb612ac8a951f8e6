#!/usr/bin/env python3
"""What the daemon costs while nobody asks anything: start, wake-ups, processor time and memory, from /proc.

  tests/bench/idle.py build/release/ollama-proxy [seconds]

It runs over a tree of sensors of its own and two backends that answer; ends with 1 when it listens later than 100 ms
after its start, wakes up more than twice a second, takes more than 0.1 % of a core, or 20 MB of memory as systemctl
counts them, 1,024 kB each.
"""

import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

MOST_START_MS = 100  # until it listens
MOST_WAKEUPS = 2.0  # per second
MOST_PERCENT = 0.1  # of a core
MOST_RESIDENT_KB = 20 * 1024
SETTLE = 5  # seconds for the first probes and catalogs


class Backend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        answers = {"/api/version": {"version": "0.5.0"}, "/api/tags": {"models": []}, "/api/ps": {"models": []}}
        body = json.dumps(answers.get(self.path, {})).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def write_sensors(root):
    """A laptop: processor, fan, battery, adapter, RAPL."""
    files = {
        "class/hwmon/hwmon0/name": "coretemp",
        "class/hwmon/hwmon0/temp1_label": "Package id 0",
        "class/hwmon/hwmon0/temp1_input": "48000",
        "class/hwmon/hwmon0/temp1_crit": "100000",
        "class/hwmon/hwmon1/name": "thinkpad",
        "class/hwmon/hwmon1/fan1_input": "2100",
        "class/power_supply/AC/type": "Mains",
        "class/power_supply/AC/online": "1",
        "class/power_supply/BAT0/type": "Battery",
        "class/power_supply/BAT0/status": "Charging",
        "class/power_supply/BAT0/capacity": "81",
        "class/powercap/intel-rapl:0/name": "package-0",
        "class/powercap/intel-rapl:0/energy_uj": "1000000",
        "class/powercap/intel-rapl:0/max_energy_range_uj": "262143328850",
    }
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")


def configuration(root, ports):
    backends = "".join(
        f"  - {{id: b{i}, hardware: {hardware}, endpoint: 'http://127.0.0.1:{port}'}}\n"
        for i, (hardware, port) in enumerate(zip(("cpu", "npu"), ports))
    )
    return (
        "server: {http_port: 0, grpc_port: 0}\nbackends:\n" + backends +
        f"monitors: {{sysfs_root: '{root}/sys', proc_root: '{root}/proc'}}\n"
        f"state_dir: '{root}/state'\n"
    )


def usage(pid):
    """{thread: (name, voluntary switches, nanoseconds on a processor)}"""
    out = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
            running = int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
        out[task.name] = (status["Name"].strip(), int(status["voluntary_ctxt_switches"]), running)
    return out


def resident_kb(pid):
    """{RssAnon: its own, RssFile: pages of the program and its libraries, VmRSS: the sum}"""
    fields = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in fields if words[0] in ("VmRSS:", "RssAnon:", "RssFile:")}


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else "build/release/ollama-proxy"
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_sensors(root / "sys")
        config = root / "config.yaml"
        config.write_text(configuration(root, [server.server_port for server in servers]))
        launched = time.monotonic()
        daemon = subprocess.Popen([binary, "--config", str(config)], stderr=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, text=True, env={**os.environ, "HOME": name})
        try:
            print(daemon.stdout.readline().strip())
            start_ms = (time.monotonic() - launched) * 1000
            time.sleep(SETTLE)
            before = usage(daemon.pid)
            start = time.monotonic()
            time.sleep(seconds)
            elapsed = time.monotonic() - start
            after = usage(daemon.pid)
            resident = resident_kb(daemon.pid)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(20)
    wakeups = percent = 0.0
    for task, (thread, switches, running) in sorted(after.items(), key=lambda item: -item[1][1]):
        old = before.get(task, (thread, 0, 0))
        woke, ran = switches - old[1], running - old[2]
        wakeups += woke / elapsed
        percent += ran / elapsed / 1e7
        print(f"{thread:16} {woke:6} wake-ups {ran / 1e6:9.3f} ms")
    print(f"{wakeups:.2f} wake-ups per second (at most {MOST_WAKEUPS}), "
          f"{percent:.4f} % of a core (at most {MOST_PERCENT})")
    print(f"{start_ms:.0f} ms until it listened (at most {MOST_START_MS}), {resident['VmRSS']} kB resident (at most "
          f"{MOST_RESIDENT_KB}): {resident['RssAnon']} of its own, {resident['RssFile']} of files")
    good = (start_ms <= MOST_START_MS and wakeups <= MOST_WAKEUPS and percent <= MOST_PERCENT
            and resident["VmRSS"] <= MOST_RESIDENT_KB)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
