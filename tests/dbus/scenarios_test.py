"""A laptop's day: sensors change, and mode, reason, signals, notifications and history follow."""

import re
import shutil
import subprocess
import threading
import unittest

import dbus
from desk import Backend, Desk, Sysfs, eventually, prepare_for_sleep, watches_sleep

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

    def notifications(self):
        """The same taken apart: (the id that it replaces, the id that it got, its title)."""
        calls = []
        next_id = 1  # as the server counts
        for line in self.notes():
            replaced, title = re.search(r' Notify "[^"]*" (\d+) "[^"]*" "([^"]*)"', line).groups()
            calls.append((int(replaced), int(replaced) or next_id, title))
            next_id += not int(replaced)
        return calls

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

    def ask(self, daemon):
        """The headers of an answer."""
        answer, headers = daemon.post("/v1/chat/completions", {"model": "qwen2.5:0.5b", "max_tokens": 1, "messages": [
            {"role": "user", "content": "hi"}]})
        self.assertTrue(answer["choices"])
        return headers

    def served_by(self, daemon):
        headers = self.ask(daemon)
        return headers["X-Efficiency-Mode"], headers["X-Backend-Used"]

    def keep_asking(self, daemon):
        """Requests one after another until the function that is returned is called: it gives their modes."""
        modes, problems, over = [], [], threading.Event()

        def client():
            while not over.is_set():
                try:
                    modes.append(self.ask(daemon)["X-Efficiency-Mode"])
                except Exception as problem:  # pylint: disable=broad-exception-caught
                    problems.append(problem)
                over.wait(0.02)

        thread = threading.Thread(target=client)
        thread.start()

        def end():
            over.set()
            thread.join(20)
            self.assertEqual(problems, [])
            return modes

        self.addCleanup(end)
        return end

    def test_unplug_drain_charge_while_requests_run(self):
        daemon = self.start()
        self.becomes(daemon, "Balanced", "ac-connected")
        eventually(lambda: all(one["healthy"] for one in daemon.get("/backends")["backends"]), "health")
        end = self.keep_asking(daemon)
        self.sysfs.plug(False, 60)
        self.becomes(daemon, "Balanced", "battery-60")  # at once
        self.assertEqual(daemon.get("/efficiency")["system_state"]["on_battery"], True)
        eventually(lambda: (60, True) in self.heard("BatteryStateChanged"), "a signal")
        self.sysfs.plug(False, 50)
        self.becomes(daemon, "Balanced", "battery-50")
        self.sysfs.plug(False, 42)
        self.becomes(daemon, "Efficiency", "battery-42")  # after five seconds
        self.assertIn(self.served_by(daemon), [("Efficiency", "demo-npu"), ("Efficiency", "demo-igpu")])
        for percent in (33, 20, 19, 15):
            self.sysfs.plug(False, percent)
        self.becomes(daemon, "UltraEfficiency", "battery-15")
        self.assertEqual(self.served_by(daemon)[0], "UltraEfficiency")
        eventually(lambda: (15, True) in self.heard("BatteryStateChanged"), "a signal")
        self.sysfs.plug(True, 16)
        self.becomes(daemon, "Balanced", "ac-connected")  # at once
        self.sysfs.plug(True, 90)
        self.becomes(daemon, "Performance", "ac-connected")
        eventually(lambda: (90, False) in self.heard("BatteryStateChanged"), "a signal")
        self.assertEqual(self.served_by(daemon), ("Performance", "demo-nvidia"))

        changes = [("Balanced", "Efficiency", "battery-42"), ("Efficiency", "UltraEfficiency", "battery-15"),
                   ("UltraEfficiency", "Balanced", "ac-connected"), ("Balanced", "Performance", "ac-connected")]
        steps = [(one["from"], one["to"], one["reason"]) for one in daemon.get("/efficiency/history")["history"]]
        self.assertEqual(steps[-4:], changes)
        eventually(lambda: [tuple(a) for a in self.heard("ModeChanged")][-4:] == changes, "the signals")
        titles = ["AI efficiency: Efficiency", "AI efficiency: UltraEfficiency", "AI efficiency: Balanced",
                  "AI efficiency: Performance"]
        told = eventually(lambda: len(self.notifications()) >= 4 and self.notifications(), "the notifications")
        self.assertEqual([title for _, _, title in told][-4:], titles)
        # two of a low battery, then two of a mode: the second of each replaces the first
        low, low_again, mode, mode_again = told[-4:]
        self.assertEqual((low_again[0], mode_again[0]), (low[1], mode[1]))
        self.assertNotEqual(low[1], mode[1])
        modes = end()
        order = [mode for n, mode in enumerate(modes) if n == 0 or modes[n - 1] != mode]
        self.assertEqual(order, ["Balanced", "Efficiency", "UltraEfficiency", "Balanced", "Performance"])

    def test_a_gpu_that_heats_is_left_alone_until_it_has_cooled_and_a_fan_that_stops_is_critical(self):
        self.sysfs.plug(True, 90)
        self.sysfs.add_gpu(60, 1800)
        amd, cpu = Backend(), Backend()
        self.addCleanup(amd.stop)
        self.addCleanup(cpu.stop)
        backends = [{"id": "amd", "hardware": "amd", "endpoint": f"http://127.0.0.1:{amd.port}"},
                    {"id": "cpu", "hardware": "cpu", "endpoint": f"http://127.0.0.1:{cpu.port}"}]
        daemon = self.start({"backends": backends, "router": {"auto_optimize": False}}, ())
        thermal = self.part(self.connection, "Thermal")
        self.becomes(daemon, "Performance", "ac-connected")
        eventually(lambda: all(one["models"] for one in daemon.get("/backends")["backends"]), "the catalogs")

        def used():
            _, headers = daemon.post("/api/chat", {"model": "m", "stream": False, "messages": []})
            return headers["X-Backend-Used"], headers["X-Routing-Reason"], headers["X-Efficiency-Mode"]

        self.assertEqual(used()[::2], ("amd", "Performance"))
        self.sysfs.heat_gpu(88)
        self.becomes(daemon, "Quiet", "thermal-high-88")
        event = eventually(lambda: [a for a in self.heard("ThermalEvent") if a[0] == "high"], "ThermalEvent")[0]
        self.assertEqual(event, ("high", 50, 88, "Quiet"))
        self.assertEqual(list(thermal.GetThrottledBackends()), ["amd"])
        self.assertEqual(tuple(thermal.GetThermalState()), (50, 88, 1800, "high"))
        self.assertEqual(used()[::2], ("cpu", "Quiet"))

        self.sysfs.turn_fan(0)
        self.becomes(daemon, "UltraEfficiency", "thermal-critical-88")
        eventually(lambda: [a for a in self.heard("ThermalEvent") if a[0] == "fan-stopped"], "ThermalEvent")
        self.assertEqual(daemon.get("/thermal")["last_thermal_event"]["kind"], "fan-stopped")
        self.assertEqual(used()[0], "cpu")

        self.sysfs.turn_fan(2400)
        self.sysfs.heat_gpu(60)
        self.becomes(daemon, "Performance", "ac-connected")
        self.assertEqual(eventually(lambda: self.heard("ThermalRecovery"), "ThermalRecovery")[0], (50, 60))
        eventually(lambda: not list(thermal.GetThrottledBackends()), "the end of the mark, after ten seconds", 60)
        self.assertEqual(used()[::2], ("amd", "Performance"))

        told = eventually(lambda: any("cooled" in note for note in self.notes()) and self.notifications(), "the notes")
        heat = [note for note in told if "AI efficiency" not in note[2]]
        self.assertEqual([title for _, _, title in heat],
                         ["The machine is hot", "A fan stands still in the heat", "The machine has cooled down"])
        first = heat[0][1]
        self.assertEqual([replaced for replaced, _, _ in heat], [0, first, first])
        steps = [(one["from"], one["to"]) for one in daemon.get("/efficiency/history")["history"]]
        self.assertEqual(steps[-3:], [("Performance", "Quiet"), ("Quiet", "UltraEfficiency"),
                                      ("UltraEfficiency", "Performance")])
        for kind in ("high", "fan-stopped", "recovery"):
            self.assertEqual(daemon.metric("ollama_proxy_thermal_events_total{kind=\"%s\"}" % kind), 1, kind)
        self.assertEqual((daemon.count("the machine is hot"), daemon.count("the machine has cooled down")), (2, 1))

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

    def test_a_gpu_that_does_not_wake_up_with_the_machine_is_told(self):
        system = self.start_bus("system")
        self.template(system, "logind", "org.freedesktop.login1")
        logind = system.connect()
        self.sysfs.add_gpu(50, 1200)
        backends = [{"id": "gpu", "hardware": "amd", "endpoint": "http://127.0.0.1:9"},
                    {"id": "cpu", "hardware": "cpu", "endpoint": "http://127.0.0.1:9"}]
        daemon = self.start({"backends": backends}, ())
        eventually(lambda: daemon.get("/thermal")["gpu_temperature_c"] == 50, "the GPU")
        eventually(lambda: watches_sleep(logind), "a daemon that listens to logind")
        prepare_for_sleep(logind, True)
        shutil.rmtree(self.sysfs.root / "class/drm")
        prepare_for_sleep(logind, False)
        eventually(lambda: any("A device did not wake up" in note for note in self.notes()), "a notification", 60)
        self.assertTrue(any("No longer there after sleeping: gpu" in note for note in self.notes()), self.notes())

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
