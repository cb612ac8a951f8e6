"""The five services as their clients see them."""

import math
import shutil
import subprocess
import unittest
import urllib.error
import xml.etree.ElementTree as ET
from pathlib import Path

import dbus
from desk import PARTS, Backend, Desk, Sysfs, eventually

PROTO = Path(__file__).parents[2] / "proto" / "dbus"


def shape(interface):
    """What an interface of an introspection document promises."""
    found = set()
    for kind in ("method", "signal"):
        for one in interface.findall(kind):
            arguments = tuple((a.get("name"), a.get("type"), a.get("direction") or "out") for a in one.findall("arg"))
            found.add((kind, one.get("name"), arguments))
    for one in interface.findall("property"):
        found.add(("property", one.get("name"), one.get("type"), one.get("access")))
    return found


class Services(Desk):
    def setUp(self):
        super().setUp()
        self.bus = self.start_bus()
        self.connection = self.listen(self.bus)

    def start(self, config=None, arguments=("--demo",)):
        daemon = self.start_daemon(config, arguments)
        self.efficiency = self.part(self.connection, "Efficiency")
        return daemon

    def test_are_what_the_introspection_files_say(self):
        self.start()
        for part in PARTS:
            self.part(self.connection, part)
            out = subprocess.run(["gdbus", "introspect", "--address", self.bus.address, "--xml", "--dest",
                                  f"ie.fio.OllamaProxy.{part}", "--object-path", f"/ie/fio/OllamaProxy/{part}"],
                                 capture_output=True, text=True, check=True, timeout=30).stdout
            name = f"ie.fio.OllamaProxy.{part}"
            live = ET.fromstring(out).find(f"interface[@name='{name}']")
            written = ET.parse(PROTO / f"{name}.xml").getroot().find(f"interface[@name='{name}']")
            self.assertTrue(shape(written), part)
            self.assertEqual(shape(live), shape(written), part)

    def test_efficiency_sets_and_shows_the_mode_with_signals(self):
        daemon = self.start()
        self.assertEqual(self.efficiency.GetEfficiencyMode(), "Balanced")
        self.assertEqual(list(self.efficiency.GetAvailableModes()),
                         ["Performance", "Balanced", "Efficiency", "Quiet", "Auto", "UltraEfficiency"])
        self.efficiency.SetEfficiencyMode("ultra-efficiency")
        self.assertEqual(self.efficiency.GetEfficiencyMode(), "UltraEfficiency")
        self.assertEqual(daemon.get("/efficiency")["mode"], "UltraEfficiency")
        eventually(lambda: self.heard("ModeChanged"), "ModeChanged")
        self.assertEqual(self.heard("ModeChanged")[0], ("Balanced", "UltraEfficiency", "user"))
        changed = eventually(lambda: self.heard("PropertiesChanged"), "PropertiesChanged")[0]
        self.assertEqual(changed[0], "ie.fio.OllamaProxy.Efficiency")
        self.assertEqual(dict(changed[1]), {"CurrentMode": "UltraEfficiency", "EffectiveMode": "UltraEfficiency"})
        self.efficiency.SetEfficiencyMode("Auto")
        values = self.properties(self.connection, "Efficiency").all()
        self.assertEqual((values["CurrentMode"], values["EffectiveMode"], values["Reason"], values["AutoModeEnabled"]),
                         ("Auto", "Balanced", "power-unknown", True))

    def test_a_reload_tells_which_backends_came_and_went(self):
        def with_backends(*ids):
            return {"monitors": {"enabled": False}, "notifications": {"enabled": False},
                    "backends": [{"id": one, "name": one.upper(), "endpoint": "http://127.0.0.1:1"} for one in ids]}
        daemon = self.start(with_backends("stays", "goes"), ())
        backends = self.part(self.connection, "Backends")
        self.assertEqual([row[0] for row in backends.ListBackends()], ["stays", "goes"])
        daemon.configure(with_backends("comes", "stays"))
        eventually(lambda: self.heard("BackendAdded") and self.heard("BackendRemoved"), "both signals")
        self.assertEqual(self.heard("BackendAdded"), [("comes", "COMES")])
        self.assertEqual(self.heard("BackendRemoved"), [("goes",)])
        self.assertEqual([row[0] for row in backends.ListBackends()], ["comes", "stays"])

    def command(self, *arguments):
        """What a tool of the command line prints, and how it ends."""
        run = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
        return run.returncode, run.stdout.strip() or run.stderr.strip()

    def test_gdbus_and_busctl_can_drive_it(self):
        if not shutil.which("busctl"):
            self.skipTest("no busctl")
        daemon = self.start()
        name, path = "ie.fio.OllamaProxy.Efficiency", "/ie/fio/OllamaProxy/Efficiency"
        gdbus = ("gdbus", "call", "--address", self.bus.address, "--dest", name, "--object-path", path, "--method")
        self.assertEqual(self.command(*gdbus, f"{name}.SetEfficiencyMode", "Quiet"), (0, "()"))
        self.assertEqual(self.command(*gdbus, f"{name}.GetEfficiencyMode"), (0, "('Quiet',)"))
        status, sentence = self.command(*gdbus, f"{name}.SetEfficiencyMode", "Turbo")
        self.assertEqual(status, 1)
        self.assertIn("InvalidArgs", sentence)
        busctl = ("busctl", f"--address={self.bus.address}")
        self.assertEqual(self.command(*busctl, "get-property", name, path, name, "CurrentMode"), (0, 's "Quiet"'))
        self.assertEqual(self.command(*busctl, "set-property", name, path, name, "QuietHours", "(bii)", "true", "23",
                                      "6"), (0, ""))
        self.assertEqual(self.command(*busctl, "get-property", name, path, name, "QuietHours"),
                         (0, "(bii) true 23 6"))
        self.assertEqual(self.command(*busctl, "call", name, path, name, "SetEfficiencyMode", "s", "Performance"),
                         (0, ""))
        self.assertEqual(daemon.get("/efficiency")["mode"], "Performance")

    def test_a_mode_set_over_http_is_told_too(self):
        daemon = self.start()
        daemon.post("/efficiency", {"mode": "Quiet"})
        eventually(lambda: ("Balanced", "Quiet", "user") in self.heard("ModeChanged"), "ModeChanged")

    def test_quiet_hours_and_notifications_are_written_and_remembered(self):
        daemon = self.start()
        properties = self.properties(self.connection, "Efficiency")
        self.assertEqual(tuple(properties.get("QuietHours")), (False, 22, 7))
        properties.set("QuietHours", dbus.Struct((True, 1, 2), signature="bii"))
        self.assertEqual(tuple(properties.get("QuietHours")), (True, 1, 2))
        properties.set("Notifications", dbus.Dictionary({"thermal": False}, signature="sb"))
        switches = properties.get("Notifications")
        self.assertEqual((switches["thermal"], switches["mode_changes"], len(switches)), (False, True, 5))
        eventually(lambda: any("QuietHours" in a[1] for a in self.heard("PropertiesChanged")), "QuietHours changed")
        self.assertEqual(daemon.stop(), 0)
        self.start()
        self.assertEqual(tuple(properties.get("QuietHours")), (True, 1, 2))
        self.assertFalse(properties.get("Notifications")["thermal"])

    def test_wrong_values_are_refused_with_a_sentence(self):
        self.start()
        properties = self.properties(self.connection, "Efficiency")
        backends = self.part(self.connection, "Backends")
        thermal = self.part(self.connection, "Thermal")
        wrong = [(lambda: self.efficiency.SetEfficiencyMode("Turbo"), "UltraEfficiency"),
                 (lambda: properties.set("QuietHours", dbus.Struct((True, 24, 7), signature="bii")), "0 to 23"),
                 (lambda: properties.set("QuietHours", dbus.Struct((True, 1, -1), signature="bii")), "0 to 23"),
                 (lambda: properties.set("Notifications", dbus.Dictionary({"x": True}, signature="sb")), "kind"),
                 (lambda: backends.GetBackendHealth("nobody"), "demo-npu"),
                 (lambda: backends.GetBackendDetails("nobody"), "demo-npu"),
                 (lambda: thermal.GetThermalHistory(dbus.Int32(-1)), "negative")]
        for call, sentence in wrong:
            with self.assertRaises(dbus.exceptions.DBusException) as caught:
                call()
            self.assertEqual(caught.exception.get_dbus_name(), "org.freedesktop.DBus.Error.InvalidArgs")
            self.assertIn(sentence, caught.exception.get_dbus_message())

    def test_backends_and_routing_show_what_happens(self):
        daemon = self.start({"dbus": {"routing_signals": True}})
        backends = self.part(self.connection, "Backends")
        routing = self.part(self.connection, "Routing")
        self.assertEqual(tuple(routing.GetLastRoutingDecision()), ("", "", 0, ""))
        eventually(lambda: all(row[2] for row in backends.ListBackends()), "all healthy")
        rows = {row[0]: row for row in backends.ListBackends()}
        self.assertEqual(set(rows), {"demo-npu", "demo-igpu", "demo-nvidia", "demo-cpu"})
        self.assertEqual((rows["demo-nvidia"][3], rows["demo-nvidia"][4]), (150, 55))
        self.assertTrue(math.isnan(rows["demo-nvidia"][6]))
        self.assertTrue(backends.GetBackendHealth("demo-npu"))
        details = backends.GetBackendDetails("demo-npu")
        self.assertEqual((details["hardware"], details["state"], details["power_watts"]), ("npu", "healthy", 3.0))
        _, headers = daemon.post("/v1/chat/completions", {"model": "qwen2.5:0.5b", "max_tokens": 2, "messages": [
            {"role": "user", "content": "hi"}]})
        used, reason, score, when = routing.GetLastRoutingDecision()
        self.assertEqual((used, reason), (headers["X-Backend-Used"], headers["X-Routing-Reason"]))
        self.assertGreater(score, 1000)
        self.assertRegex(when, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        total, failed, by_backend = routing.GetRoutingStats()
        self.assertEqual((total, failed, by_backend[used]), (1, 0, 1))
        self.assertEqual(set(routing.GetQueueDepths()), set(rows))
        eventually(lambda: self.heard("RoutingDecisionMade"), "RoutingDecisionMade")
        self.assertEqual(self.heard("RoutingDecisionMade")[0][0], used)

    def test_a_backend_that_dies_and_comes_back_is_told(self):
        backend = Backend()
        self.start({"backends": [{"id": "a", "endpoint": f"http://127.0.0.1:{backend.port}"}],
                    "health": {"interval_ms": 100, "idle_interval_ms": 100, "unhealthy_threshold": 1}}, ())
        backends = self.part(self.connection, "Backends")
        eventually(lambda: backends.GetBackendHealth("a"), "healthy")
        probes = backend.probes  # told already, or known as healthy before anything could be told
        eventually(lambda: ("a", True, "") in self.heard("BackendHealthChanged") or backend.probes > probes + 6,
                   "first verdict")
        backend.stop()
        eventually(lambda: any(a[:2] == ("a", False) and a[2] for a in self.heard("BackendHealthChanged")), "down")
        self.assertFalse(backends.GetBackendHealth("a"))

    def test_a_backend_that_is_busy_for_a_moment_is_not_told_as_unhealthy(self):
        backend = Backend()
        backend.busy = True

        def with_backends(*ids):
            return {"monitors": {"enabled": False}, "notifications": {"enabled": False},
                    "backends": [{"id": one, "endpoint": f"http://127.0.0.1:{backend.port}"} for one in ids]}
        daemon = self.start(with_backends("a"), ())
        backends = self.part(self.connection, "Backends")
        eventually(lambda: backends.GetBackendHealth("a"), "healthy")
        with self.assertRaises(urllib.error.HTTPError):
            daemon.post("/api/chat", {"model": "m", "messages": [], "stream": False})
        self.assertFalse(backends.GetBackendHealth("a"))  # it gets nothing for a minute
        daemon.configure(with_backends("a", "b"))
        eventually(lambda: self.heard("BackendAdded"), "BackendAdded")  # told together with every health
        self.assertEqual([told for told in self.heard("BackendHealthChanged") if told[:2] == ("a", False)], [])

    def test_without_sensors_everything_is_unknown(self):
        self.start()
        thermal = self.part(self.connection, "Thermal")
        cpu, gpu, rpm, state = thermal.GetThermalState()
        self.assertTrue(math.isnan(cpu) and math.isnan(gpu))
        self.assertEqual((rpm, state), (-1, "unknown"))
        self.assertEqual(list(thermal.GetThermalHistory(dbus.Int32(10))), [])
        self.assertEqual(list(thermal.GetThrottledBackends()), [])
        system = self.part(self.connection, "SystemState")
        self.assertEqual(tuple(system.GetBatteryState()), (-1, False, -1))
        self.assertEqual(system.GetPowerProfile(), "unknown")

    def test_sensors_are_shown(self):
        sysfs = Sysfs(self.folder)
        sysfs.plug(False, 42)
        sysfs.heat(61)
        self.start({"monitors": {"sysfs_root": str(sysfs.root), "interval_ms": 100, "idle_interval_ms": 100}})
        system = self.part(self.connection, "SystemState")
        thermal = self.part(self.connection, "Thermal")
        eventually(lambda: system.GetBatteryState()[0] == 42, "the battery")
        self.assertTrue(system.GetBatteryState()[1])
        eventually(lambda: thermal.GetThermalState()[0] == 61, "the temperature")
        self.assertEqual(thermal.GetThermalState()[3], "normal")
        point = eventually(lambda: thermal.GetThermalHistory(dbus.Int32(1)), "a point")[0]
        self.assertEqual(point[0], 61)
        self.assertGreater(point[2], 1_600_000_000_000)
        self.assertEqual(len(eventually(lambda: len(thermal.GetThermalHistory(dbus.Int32(3))) == 3 and
                                        thermal.GetThermalHistory(dbus.Int32(3)), "three points")), 3)


if __name__ == "__main__":
    unittest.main()
