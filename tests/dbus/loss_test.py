"""No bus, a bus that dies, names that others have: HTTP goes on, it is said once, and everything comes back."""

import os
import signal
import time
import unittest

import dbus.service
from desk import PARTS, Desk, eventually

BOTH = {"notifications": {"enabled": True}, "monitors": {"enabled": True}}


class Loss(Desk):
    def test_without_any_bus_the_daemon_runs_and_says_so_once(self):
        daemon = self.start_daemon(BOTH)
        eventually(lambda: daemon.count("session bus cannot be reached"), "the complaint")
        eventually(lambda: daemon.count("system bus cannot be reached"), "the other complaint")
        end = time.monotonic() + 3.5  # the second try is after one second, the third after two more
        eventually(lambda: time.monotonic() > end, "a few tries")
        self.assertEqual(daemon.count("session bus"), 1)
        self.assertEqual(daemon.count("system bus"), 1)
        self.assertEqual(daemon.get("/efficiency")["mode"], "Balanced")
        self.assertEqual(daemon.stop(), 0)

    def test_a_bus_that_appears_later_gets_the_names(self):
        daemon = self.start_daemon()
        eventually(lambda: daemon.count("session bus cannot be reached"), "the complaint")
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={self.folder}/session.bus"
        daemon.stop()
        daemon = self.start_daemon()
        eventually(lambda: daemon.count("session bus cannot be reached"), "the complaint")
        bus = self.start_bus()
        connection = bus.connect()
        for part in PARTS:
            self.part(connection, part)
        self.assertEqual(self.part(connection, "Efficiency").GetEfficiencyMode(), "Balanced")

    def test_a_bus_that_dies_is_found_again(self):
        bus = self.start_bus()
        self.start_bus("system")
        daemon = self.start_daemon(BOTH)
        connection = bus.connect()
        self.part(connection, "Efficiency").SetEfficiencyMode("Quiet")
        bus.stop()
        eventually(lambda: daemon.count("session bus is lost"), "the complaint")
        self.assertEqual(daemon.get("/efficiency")["mode"], "Quiet")
        bus.start()
        connection = bus.connect()
        self.assertEqual(self.part(connection, "Efficiency").GetEfficiencyMode(), "Quiet")
        self.assertEqual(daemon.count("session bus is lost"), 1)
        self.assertEqual(daemon.stop(), 0)

    def freeze(self, bus):
        """It takes connections, as the kernel does for it, and says nothing until the test ends."""
        os.kill(bus.process.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, bus.process.pid, signal.SIGCONT)

    def test_a_bus_that_hangs_from_the_beginning_holds_neither_http_nor_the_end(self):
        for kind in ("session", "system"):
            self.freeze(self.start_bus(kind))
        daemon = self.start_daemon(BOTH)
        self.assertEqual(daemon.post("/efficiency", {"mode": "Quiet"})[0]["mode"], "Quiet")
        self.assertEqual(daemon.stop(), 0)  # the library itself would wait for more than a minute

    def test_a_bus_that_begins_to_hang_holds_neither_http_nor_the_end(self):
        buses = [self.start_bus(kind) for kind in ("session", "system")]
        daemon = self.start_daemon(BOTH)
        self.assertEqual(self.part(buses[0].connect(), "Efficiency").GetEfficiencyMode(), "Balanced")
        for bus in buses:
            self.freeze(bus)
        for mode in ("Quiet", "Performance") * 20:  # each has signals to send
            self.assertEqual(daemon.post("/efficiency", {"mode": mode})[0]["mode"], mode)
        self.assertEqual(daemon.stop(), 0)

    def test_a_name_that_another_has_is_said_once_and_taken_when_it_is_free(self):
        bus = self.start_bus()
        other = bus.connect()
        taken = dbus.service.BusName("ie.fio.OllamaProxy.Thermal", other)
        daemon = self.start_daemon()
        connection = bus.connect()
        self.assertEqual(self.part(connection, "Efficiency").GetEfficiencyMode(), "Balanced")
        eventually(lambda: daemon.count("another program has D-Bus names"), "the complaint")
        self.assertEqual(daemon.count("ie.fio.OllamaProxy.Thermal"), 1)
        self.assertEqual(daemon.get("/efficiency")["mode"], "Balanced")
        mine = connection.get_name_owner("ie.fio.OllamaProxy.Efficiency")
        self.assertNotEqual(connection.get_name_owner("ie.fio.OllamaProxy.Thermal"), mine)
        del taken
        other.release_name("ie.fio.OllamaProxy.Thermal")
        other.close()
        eventually(lambda: connection.name_has_owner("ie.fio.OllamaProxy.Thermal") and
                   connection.get_name_owner("ie.fio.OllamaProxy.Thermal") == mine, "the name")
        self.assertEqual(daemon.count("another program has D-Bus names"), 1)


if __name__ == "__main__":
    unittest.main()
