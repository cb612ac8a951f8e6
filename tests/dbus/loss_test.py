"""No bus, a bus that dies, names that others have: HTTP goes on, it is said once, and everything comes back."""

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
