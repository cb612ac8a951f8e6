"""A desk to test at: private buses, a fake sysfs, a backend that can die, and the daemon between them."""

import http.server
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

import dbus
import dbus.bus
import dbus.exceptions
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

BINARY = os.environ["OLLAMA_PROXY_BINARY"]
PATIENCE_S = 20
PARTS = ("Efficiency", "Backends", "Routing", "Thermal", "SystemState")
LOOP = DBusGMainLoop()


def eventually(condition, what, patience=PATIENCE_S):
    """Lets signals come in until `condition` holds, and returns what it gave."""
    end = time.monotonic() + patience
    context = GLib.MainContext.default()
    while True:
        while context.pending():
            context.iteration(False)
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"it never came: {what}")
        context.iteration(False)
        time.sleep(0.005)


class Bus:
    """A bus of one's own, `kind` being session or system."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.path = Path(folder, f"{kind}.bus")
        self.address = f"unix:path={self.path}"
        self.start()

    def start(self):
        self.path.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={self.address}", "--print-address"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.process.stdout.readline()

    def connect(self):
        connection = dbus.bus.BusConnection(self.address, mainloop=LOOP)
        connection.set_exit_on_disconnect(False)  # a bus that is killed must not end the tests
        return connection

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Sysfs:
    """A laptop: an adapter, a battery, a processor with a sensor."""

    def __init__(self, folder):
        self.root = Path(folder, "sys")
        self.write("class/power_supply/AC/type", "Mains")
        self.write("class/power_supply/BAT0/type", "Battery")
        self.write("class/power_supply/BAT0/scope", "System")
        self.write("class/hwmon/hwmon0/name", "coretemp")
        self.write("class/hwmon/hwmon0/temp1_label", "Package id 0")
        self.plug(True, 60)
        self.heat(50)

    def write(self, path, text):
        """Replaces a file as a whole, as the kernel gives it."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_text(f"{text}\n", encoding="ascii")
        fresh.rename(file)

    def plug(self, plugged, percent):
        self.write("class/power_supply/AC/online", int(plugged))
        self.write("class/power_supply/BAT0/status", "Charging" if plugged else "Discharging")
        self.write("class/power_supply/BAT0/capacity", percent)

    def heat(self, celsius):
        self.write("class/hwmon/hwmon0/temp1_input", int(celsius * 1000))

    def add_gpu(self, celsius, rpm):
        """A graphics card with a fan of its own, awake."""
        device = "class/drm/card0/device"
        self.write(f"{device}/uevent", "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:03:00.0")
        self.write(f"{device}/power/runtime_status", "active")
        self.write(f"{device}/hwmon/hwmon1/name", "amdgpu")
        self.heat_gpu(celsius)
        self.turn_fan(rpm)

    def heat_gpu(self, celsius):
        self.write("class/drm/card0/device/hwmon/hwmon1/temp1_input", int(celsius * 1000))

    def turn_fan(self, rpm):
        self.write("class/drm/card0/device/hwmon/hwmon1/fan1_input", rpm)


class Backend:
    """An Ollama server just big enough; may hold its answers back until `release`."""

    def __init__(self):
        self.hold = threading.Event()
        self.hold.set()
        self.busy = False  # answers 429
        self.asked = 0  # requests of clients
        self.probes = 0
        self.connections = 0  # open ones
        self.closed = 0
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                owner.connections += 1

            def finish(self):
                owner.connections -= 1
                owner.closed += 1
                super().finish()

            def answer(self, body, status=200):
                data = json.dumps(body).encode()
                self.send_response(status)
                if status == 429:
                    self.send_header("Retry-After", "60")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):  # noqa: N802 (the library's name)
                owner.probes += 1
                self.answer({"/api/version": {"version": "0.5.0"}}.get(self.path, {"models": [{"name": "m:latest"}]}))

            def do_POST(self):  # noqa: N802
                self.rfile.read(int(self.headers["Content-Length"]))
                owner.asked += 1
                owner.hold.wait(PATIENCE_S)
                if owner.busy:
                    self.answer({"error": "busy"}, 429)
                    return
                self.answer({"model": "m", "message": {"role": "assistant", "content": "hi"}, "done": True})

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()


class Daemon:
    """The binary under test. `config` is merged over what every test wants."""

    def __init__(self, folder, environment, config, arguments=()):
        file = self.file = Path(folder, "config.yaml")
        self.configure(config)
        self.process = subprocess.Popen([BINARY, "serve", "--config", str(file), *arguments], cwd=folder,
                                        env={**os.environ, **environment}, text=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = []
        found = None
        while not found:  # the log may be faster than the first line
            self.lines.append(self.process.stdout.readline())
            if not self.lines[-1]:
                raise AssertionError(f"no address in: {self.lines}")
            found = re.search(r"http://127\.0\.0\.1:(\d+)", self.lines[-1])
        self.url = f"http://127.0.0.1:{found[1]}"
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()

    def configure(self, config):
        """Another configuration; the daemon sees that the file has changed."""
        text = json.dumps({"state_dir": str(self.file.parent), **config,
                           "server": {"http_port": 0, "grpc_port": None, "shutdown_grace_ms": 500}})
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(self.file)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE_S) as reply:
            return json.load(reply)

    def metric(self, name):
        """The value of a metric, its labels included in the name."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=PATIENCE_S) as reply:
            return float(re.search(rf"^{re.escape(name)} (\S+)$", reply.read().decode(), re.MULTILINE)[1])

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            return json.load(reply), reply.headers

    def stop(self):
        """The exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        self.process.stdout.close()
        return status

    def count(self, text):
        return sum(text in line for line in self.lines)


def prepare_for_sleep(connection, sleeping):
    """What logind says before the machine sleeps and when it has woken up."""
    connection.call_blocking("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.DBus.Mock",
                             "EmitSignal", "sssav", ("org.freedesktop.login1.Manager", "PrepareForSleep", "b",
                                                     [dbus.Boolean(sleeping, variant_level=1)]))


def watches_sleep(connection):
    """Somebody has asked this bus for logind's signals."""
    try:
        rules = connection.call_blocking("org.freedesktop.DBus", "/org/freedesktop/DBus",
                                         "org.freedesktop.DBus.Debug.Stats", "GetAllMatchRules", "", ())
    except dbus.exceptions.DBusException as error:
        raise unittest.SkipTest(f"this bus does not tell who listens: {error}") from error
    return any("PrepareForSleep" in rule for owner in rules.values() for rule in owner)


class Properties:
    """Those of one of the five."""

    def __init__(self, connection, part):
        self.connection = connection
        self.name = f"ie.fio.OllamaProxy.{part}"
        self.path = f"/ie/fio/OllamaProxy/{part}"

    def _call(self, member, signature, *arguments):
        return self.connection.call_blocking(self.name, self.path, "org.freedesktop.DBus.Properties", member,
                                             signature, (self.name, *arguments))

    def get(self, name):
        return self._call("Get", "ss", name)

    def all(self):
        return self._call("GetAll", "s")

    def set(self, name, value):
        self._call("Set", "ssv", name, value)


class Desk(unittest.TestCase):
    """Starts what a test asks for and cleans up behind it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ollama-proxy-dbus-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.environment = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.folder}/none",
                            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.folder}/none"}
        self.signals = []

    def start_bus(self, kind="session"):
        bus = Bus(kind, self.folder)
        self.addCleanup(bus.stop)
        self.environment[f"DBUS_{kind.upper()}_BUS_ADDRESS"] = bus.address
        return bus

    def mock(self, bus, *arguments):
        """A service of python-dbusmock; the function that ends it."""
        process = subprocess.Popen(["/usr/bin/python3", "-m", "dbusmock", f"--{bus.kind}", *arguments],
                                   env={f"DBUS_{bus.kind.upper()}_BUS_ADDRESS": bus.address, "PATH": "/usr/bin:/bin"},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def end():
            process.kill()
            process.wait()

        self.addCleanup(end)
        return end

    def template(self, bus, template, name):
        """The same after one of its templates, once it has its name."""
        end = self.mock(bus, "--template", template)
        connection = bus.connect()
        eventually(lambda: connection.name_has_owner(name), name)
        connection.close()
        return end

    def start_daemon(self, config=None, arguments=("--demo",)):
        wanted = {"monitors": {"enabled": False}, "notifications": {"enabled": False}, **(config or {})}
        daemon = Daemon(self.folder, self.environment, wanted, arguments)
        self.addCleanup(daemon.stop)
        return daemon

    def listen(self, bus):
        """Notes every signal of ours from now on, as (name, arguments)."""
        connection = bus.connect()
        self.addCleanup(connection.close)

        def note(*arguments, member=None, interface=None):
            self.signals.append((member, arguments))

        connection.add_signal_receiver(note, path_keyword=None, member_keyword="member",
                                       interface_keyword="interface", dbus_interface=None,
                                       bus_name=None)
        return connection

    def heard(self, name):
        return [arguments for member, arguments in self.signals if member == name]

    def part(self, connection, part, wait=True):
        """The interface of one of the five, once its name is there."""
        name = f"ie.fio.OllamaProxy.{part}"
        if wait:
            eventually(lambda: connection.name_has_owner(name), f"the name {name}")
        proxy = connection.get_object(name, f"/ie/fio/OllamaProxy/{part}", introspect=False)
        return dbus.Interface(proxy, name)

    def properties(self, connection, part):
        return Properties(connection, part)
