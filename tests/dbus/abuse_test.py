"""Peers that send nonsense, megabytes and floods: answered with errors, and HTTP does not notice."""

import threading
import time
import unittest

import dbus
import dbus.lowlevel
from desk import Desk, eventually

HUGE = "x" * 1_000_000


class Abuse(Desk):
    def setUp(self):
        super().setUp()
        self.bus = self.start_bus()
        self.connection = self.bus.connect()
        self.daemon = self.start_daemon()
        self.part(self.connection, "Efficiency")

    def call(self, part, member, signature, arguments, interface=None):
        name = f"ie.fio.OllamaProxy.{part}"
        return self.connection.call_blocking(name, f"/ie/fio/OllamaProxy/{part}", interface or name, member,
                                             signature, arguments, timeout=20)

    def test_wrong_types_are_refused(self):
        methods = {"Efficiency": {"SetEfficiencyMode": "s", "GetEfficiencyMode": "", "GetAvailableModes": ""},
                   "Backends": {"ListBackends": "", "GetBackendDetails": "s", "GetBackendHealth": "s"},
                   "Routing": {"GetRoutingStats": "", "GetQueueDepths": "", "GetLastRoutingDecision": ""},
                   "Thermal": {"GetThermalState": "", "GetThermalHistory": "i", "GetThrottledBackends": ""},
                   "SystemState": {"GetBatteryState": "", "GetPowerProfile": ""}}
        values = {"": (), "s": ("x",), "i": (1,), "d": (1.5,), "as": (["x"],), "ss": ("x", "y"), "v": (dbus.Int32(1),)}
        for part, members in methods.items():
            for member, right in members.items():
                for signature, arguments in values.items():
                    if signature == right:
                        continue
                    with self.subTest(part=part, member=member, signature=signature), \
                            self.assertRaises(dbus.exceptions.DBusException) as caught:
                        self.call(part, member, signature, arguments)
                    self.assertEqual(caught.exception.get_dbus_name(), "org.freedesktop.DBus.Error.InvalidArgs")

    def test_properties_of_wrong_types_are_refused(self):
        name = "ie.fio.OllamaProxy.Efficiency"
        for member, value in (("QuietHours", dbus.String("x")), ("Notifications", dbus.Int32(1)),
                              ("QuietHours", dbus.Struct((True, 1), signature="bi"))):
            with self.assertRaises(dbus.exceptions.DBusException) as caught:
                self.call("Efficiency", "Set", "ssv", (name, member, value), "org.freedesktop.DBus.Properties")
            self.assertEqual(caught.exception.get_dbus_name(), "org.freedesktop.DBus.Error.InvalidArgs")
        with self.assertRaises(dbus.exceptions.DBusException):
            self.call("Efficiency", "Set", "ssv", (name, "CurrentMode", "Quiet"), "org.freedesktop.DBus.Properties")
        self.assertEqual(self.call("Efficiency", "GetEfficiencyMode", "", ()), "Balanced")

    def test_strings_of_a_megabyte_are_refused_and_not_sent_back(self):
        for part, member in (("Efficiency", "SetEfficiencyMode"), ("Backends", "GetBackendDetails"),
                             ("Backends", "GetBackendHealth")):
            with self.assertRaises(dbus.exceptions.DBusException) as caught:
                self.call(part, member, "s", (HUGE,))
            self.assertEqual(caught.exception.get_dbus_name(), "org.freedesktop.DBus.Error.InvalidArgs")
            self.assertLess(len(caught.exception.get_dbus_message()), 500)
        with self.assertRaises(dbus.exceptions.DBusException):
            self.call("Efficiency", "Set", "ssv", ("ie.fio.OllamaProxy.Efficiency", "Notifications",
                                                   dbus.Dictionary({HUGE: True}, signature="sb")),
                      "org.freedesktop.DBus.Properties")
        self.assertEqual(self.call("Efficiency", "GetEfficiencyMode", "", ()), "Balanced")

    def flood(self, until, part, member, signature, arguments):
        """As many calls as the bus takes, without waiting for answers; how many."""
        connection = self.bus.connect()
        name = f"ie.fio.OllamaProxy.{part}"
        message = dbus.lowlevel.MethodCallMessage(name, f"/ie/fio/OllamaProxy/{part}", name, member)
        message.append(*arguments, signature=signature)
        message.set_no_reply(True)
        count = 0
        while time.monotonic() < until:
            for _ in range(200):
                connection.send_message(message.copy() if hasattr(message, "copy") else message)
            connection.flush()
            count += 200
        connection.close()
        return count

    def delays_of_http(self, seconds):
        """The median and the worst of requests one after another, in milliseconds."""
        delays = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            self.daemon.get("/efficiency")
            delays.append((time.monotonic() - begin) * 1000)
            time.sleep(0.01)  # a client that thinks, so that the flood has the processor
        delays.sort()
        return delays[len(delays) // 2], delays[-1]

    def test_a_flood_of_calls_does_not_reach_http(self):
        end = time.monotonic() + 3
        counts = []
        flood = threading.Thread(target=lambda: counts.append(
            self.flood(end, "Backends", "ListBackends", "", ())))
        flood.start()
        median, worst = self.delays_of_http(2.5)
        flood.join()
        print(f"{counts[0] / 3:.0f} calls/s; HTTP median {median:.1f} ms, worst {worst:.0f} ms")
        self.assertGreater(counts[0] / 3, 2000)
        self.assertLess(median, 100)
        self.assertLess(worst, 3000)
        self.assertIn(self.part(self.connection, "Efficiency").GetEfficiencyMode(), ("Balanced",))

    def test_a_flood_of_changes_is_held_back_and_told_four_times_a_second(self):
        self.listen(self.bus)
        seconds = 3
        end = time.monotonic() + seconds
        modes = ("Quiet", "Performance")

        def flood():
            connection = self.bus.connect()
            name = "ie.fio.OllamaProxy.Efficiency"
            n = 0
            while time.monotonic() < end:
                message = dbus.lowlevel.MethodCallMessage(name, "/ie/fio/OllamaProxy/Efficiency", name,
                                                          "SetEfficiencyMode")
                message.append(modes[n % 2], signature="s")
                message.set_no_reply(True)
                connection.send_message(message)
                n += 1
                if n % 200 == 0:
                    connection.flush()
            connection.flush()
            connection.close()

        thread = threading.Thread(target=flood)
        thread.start()
        eventually(lambda: not thread.is_alive(), "the end of the flood")
        # whatever was in line is worked off first
        self.part(self.connection, "Efficiency").SetEfficiencyMode("Balanced")
        eventually(lambda: any(a[1] == "Balanced" for a in self.heard("ModeChanged")), "the last change")
        elapsed = time.monotonic() - end + seconds
        self.assertLessEqual(len(self.heard("ModeChanged")), 4 * elapsed + 2)
        self.assertGreaterEqual(len(self.heard("ModeChanged")), 2)
        self.assertEqual(self.daemon.get("/efficiency")["mode"], "Balanced")


if __name__ == "__main__":
    unittest.main()
