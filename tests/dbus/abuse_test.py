"""Peers that send nonsense, megabytes and floods: answered with errors, and HTTP does not notice."""

import http.client
import json
import threading
import time
import unittest

import dbus
import dbus.lowlevel
from desk import Backend, Desk, eventually

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
        values = {"": (), "s": (HUGE,), "i": (1,), "d": (1.5,), "as": (["x"],), "ss": ("x", "y"), "v": (dbus.Int32(1),)}
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
        median, worst = self.delays_of_http(2.5)  # each is answered, or this fails
        flood.join()
        # how long they take says more about this machine: tests/bench/dbus_flood.py measures it
        print(f"{counts[0] / 3:.0f} calls/s; HTTP median {median:.1f} ms, worst {worst:.0f} ms")
        self.assertGreater(counts[0], 0)
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
        def is_accepted():
            try:
                self.part(self.connection, "Efficiency").SetEfficiencyMode("Balanced")
                return True
            except dbus.exceptions.DBusException as error:  # whatever is in line is worked off first
                self.assertEqual(error.get_dbus_name(), "org.freedesktop.DBus.Error.LimitsExceeded")
                return False

        eventually(is_accepted, "a place in the line")
        eventually(lambda: any(a[1] == "Balanced" for a in self.heard("ModeChanged")), "the last change")
        elapsed = time.monotonic() - end + seconds
        self.assertLessEqual(len(self.heard("ModeChanged")), 4 * elapsed + 2)
        self.assertGreaterEqual(len(self.heard("ModeChanged")), 2)
        self.assertEqual(self.daemon.get("/efficiency")["mode"], "Balanced")


class Decisions(Desk):
    def test_thousands_of_decisions_are_told_four_times_a_second(self):
        bus = self.start_bus()
        connection = self.listen(bus)
        backend = Backend()
        self.addCleanup(backend.stop)
        daemon = self.start_daemon({"backends": [{"id": "a", "endpoint": f"http://127.0.0.1:{backend.port}",
                                                  "max_concurrency": 64}],
                                    "dbus": {"routing_signals": True}}, ())
        routing = self.part(connection, "Routing")
        eventually(lambda: daemon.get("/backends")["backends"][0]["models"], "the catalog")
        body = json.dumps({"model": "m", "stream": False, "messages": []})
        begin = time.monotonic()
        statuses = []

        def ask():
            client = http.client.HTTPConnection("127.0.0.1", int(daemon.url.rsplit(":", 1)[1]), timeout=20)
            for _ in range(250):
                client.request("POST", "/api/chat", body)
                reply = client.getresponse()
                reply.read()
                statuses.append(reply.status)
            client.close()

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        eventually(lambda: not any(thread.is_alive() for thread in threads), "the end of the flood", 60)
        self.assertEqual(set(statuses), {200})
        self.assertEqual(routing.GetRoutingStats()[0], 1000)
        last = routing.GetLastRoutingDecision()
        eventually(lambda: self.heard("RoutingDecisionMade")[-1:] == [tuple(last)], "the last decision")
        elapsed = time.monotonic() - begin
        told = len(self.heard("RoutingDecisionMade"))
        print(f"1000 decisions in {elapsed:.2f} s, told {told} times")
        self.assertLessEqual(told, 4 * elapsed + 2)


if __name__ == "__main__":
    unittest.main()
