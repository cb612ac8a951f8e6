"""A laptop's day: sensors change, and mode, reason, signals, notifications and history follow."""

import subprocess
import unittest

import dbus
from desk import Backend, Desk, Sysfs, eventually

FAST = {"interval_ms": 100, "idle_interval_ms": 100}


class Day(Desk):
    def setUp(self):
        super().setUp()
        self.bus = self.start_bus()
        self.connection = self.listen(self.bus)
        self.sysfs = Sysfs(self.folder)
        self.start_notification_server()

    def start_notification_server(self):
        log = open(f"{self.folder}/notes", "w+", encoding="utf-8")  # pylint: disable=consider-using-with
        server = subprocess.Popen(["/usr/bin/python3", "-m", "dbusmock", "--session",
                                   "--template", "notification_daemon"],
                                  env={"DBUS_SESSION_BUS_ADDRESS": self.bus.address, "PATH": "/usr/bin:/bin",
                                       "PYTHONUNBUFFERED": "1"},
                                  stdout=log, stderr=subprocess.DEVNULL)
        self.addCleanup(log.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        eventually(lambda: self.connection.name_has_owner("org.freedesktop.Notifications"), "the server")

    def notes(self):
        """Every call of Notify, as the server wrote it down."""
        with open(f"{self.folder}/notes", encoding="utf-8") as log:
            return [line for line in log if " Notify " in line]

    def start(self, config=None, arguments=("--demo",)):
        daemon = self.start_daemon({"monitors": {"sysfs_root": str(self.sysfs.root), **FAST},
                                    "efficiency": {"default_mode": "Auto"}, "notifications": {"enabled": True},
                                    "thermal": {"elevated": 80, "high": 85, "critical": 90, "recovery": 75},
                                    **(config or {})}, arguments)
        self.part(self.connection, "Efficiency")
        return daemon

    def becomes(self, daemon, mode, reason):
        def is_so():
            state = daemon.get("/efficiency")
            return (state["effective_mode"], state["reason"]) == (mode, reason)
        eventually(is_so, f"{mode} because of {reason}; it is {daemon.get('/efficiency')}")

    def test_unplug_drain_charge(self):
        daemon = self.start()
        self.becomes(daemon, "Balanced", "ac-connected")
        self.sysfs.plug(False, 42)
        self.becomes(daemon, "Efficiency", "battery-42")
        eventually(lambda: (42, True) in self.heard("BatteryStateChanged"), "a signal")
        self.sysfs.plug(False, 15)
        self.becomes(daemon, "UltraEfficiency", "battery-15")  # after five seconds
        eventually(lambda: any("AI efficiency: UltraEfficiency" in note for note in self.notes()), "a notification")
        self.sysfs.plug(True, 90)
        self.becomes(daemon, "Performance", "ac-connected")
        steps = [(one["from"], one["to"], one["reason"]) for one in daemon.get("/efficiency/history")["history"]]
        self.assertEqual(steps[-3:], [("Balanced", "Efficiency", "battery-42"),
                                      ("Efficiency", "UltraEfficiency", "battery-15"),
                                      ("UltraEfficiency", "Performance", "ac-connected")])
        eventually(lambda: ("UltraEfficiency", "Performance", "ac-connected") in self.heard("ModeChanged"), "a signal")
        _, headers = daemon.post("/v1/chat/completions", {"model": "qwen2.5:0.5b", "max_tokens": 1, "messages": [
            {"role": "user", "content": "hi"}]})
        self.assertEqual((headers["X-Efficiency-Mode"], headers["X-Backend-Used"]), ("Performance", "demo-nvidia"))

    def test_heat_and_cooling(self):
        self.sysfs.plug(True, 90)
        daemon = self.start()
        self.becomes(daemon, "Performance", "ac-connected")
        self.sysfs.heat(88)
        self.becomes(daemon, "Quiet", "thermal-high-88")
        event = eventually(lambda: [a for a in self.heard("ThermalEvent") if a[0] == "high"], "ThermalEvent")[0]
        self.assertEqual((event[1], event[3]), (88, "Quiet"))
        self.sysfs.heat(91)
        self.becomes(daemon, "UltraEfficiency", "thermal-critical-91")
        self.sysfs.heat(86)  # cooler, not cool
        self.sysfs.heat(70)
        self.becomes(daemon, "Performance", "ac-connected")
        eventually(lambda: self.heard("ThermalRecovery"), "ThermalRecovery")
        for text in ("The machine is hot", "The machine is critically hot", "The machine has cooled down",
                     "AI efficiency: Quiet", "AI efficiency: Performance"):
            eventually(lambda text=text: any(text in note for note in self.notes()), text)
        steps = [(one["from"], one["to"]) for one in daemon.get("/efficiency/history")["history"]]
        self.assertEqual(steps[-3:], [("Performance", "Quiet"), ("Quiet", "UltraEfficiency"),
                                      ("UltraEfficiency", "Performance")])

    def test_a_mode_set_by_hand_yields_to_critical_heat_only(self):
        daemon = self.start()
        daemon.post("/efficiency", {"mode": "Performance"})
        self.sysfs.heat(88)
        eventually(lambda: [a for a in self.heard("ThermalEvent") if a[0] == "high"], "ThermalEvent")
        self.assertEqual(daemon.get("/efficiency")["effective_mode"], "Performance")
        self.sysfs.heat(92)
        self.becomes(daemon, "UltraEfficiency", "thermal-critical-92")
        self.assertEqual(daemon.get("/efficiency")["mode"], "Performance")
        self.sysfs.heat(60)
        self.becomes(daemon, "Performance", "user")

    def test_notifications_replace_their_own_kind_and_can_be_switched_off(self):
        backend = Backend()
        daemon = self.start({"backends": [{"id": "a", "name": "A <b>", "endpoint": f"http://127.0.0.1:{backend.port}"}],
                             "health": {"interval_ms": 100, "idle_interval_ms": 100, "unhealthy_threshold": 1}}, ())
        eventually(lambda: daemon.get("/backends")["backends"][0]["healthy"], "health")
        self.assertEqual([note for note in self.notes() if "A <b>" in note], [])  # the first verdict is no news
        backend.stop()
        eventually(lambda: any("is down" in note for note in self.notes()), "a notification")
        self.properties(self.connection, "Efficiency").set(
            "Notifications", dbus.Dictionary({"thermal": False, "mode_changes": False}, signature="sb"))
        self.sysfs.heat(88)
        self.becomes(daemon, "Quiet", "thermal-high-88")
        eventually(lambda: self.heard("ThermalEvent"), "ThermalEvent")
        self.assertFalse([note for note in self.notes() if "hot" in note or "Quiet" in note])


if __name__ == "__main__":
    unittest.main()
