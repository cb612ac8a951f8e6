"""The system bus: power profiles under both names, sleeping and waking, the inhibitor."""

import threading
import unittest

import dbus
from desk import Backend, Desk, eventually, prepare_for_sleep, watches_sleep


class System(Desk):
    def setUp(self):
        super().setUp()
        self.session = self.start_bus()
        self.system = self.start_bus("system")
        self.connection = self.system.connect()

    def set_profile(self, name, path, profile):
        self.connection.call_blocking(name, path, "org.freedesktop.DBus.Mock", "UpdateProperties", "sa{sv}",
                                      (name, dbus.Dictionary({"ActiveProfile": profile}, signature="sv")))

    def profile_is(self, daemon, profile):
        eventually(lambda: daemon.get("/efficiency")["system_state"]["power_profile"] == profile, profile)

    def test_the_profile_of_the_older_name_decides_auto(self):
        name, path = "net.hadess.PowerProfiles", "/net/hadess/PowerProfiles"
        end = self.template(self.system, "power_profiles_daemon", name)
        daemon = self.start_daemon({"monitors": {"sysfs_root": self.folder}})
        session = self.listen(self.session)
        self.part(session, "SystemState")
        self.set_profile(name, path, "power-saver")
        self.profile_is(daemon, "power-saver")
        # the bus has a thread of its own, which tells what it sees: two changes at once are one
        eventually(lambda: any(new == "power-saver" for _, new in self.heard("PowerProfileChanged")), "the first signal")
        daemon.post("/efficiency", {"mode": "Auto"})
        state = daemon.get("/efficiency")
        self.assertEqual((state["effective_mode"], state["reason"]), ("Efficiency", "power-profile"))
        self.set_profile(name, path, "performance")
        self.profile_is(daemon, "performance")
        eventually(lambda: ("power-saver", "performance") in self.heard("PowerProfileChanged"), "the signal")
        end()
        self.profile_is(daemon, None)

    def test_the_newer_name_counts_first_and_may_come_later(self):
        daemon = self.start_daemon({"monitors": {"sysfs_root": self.folder}})
        self.template(self.system, "power_profiles_daemon", "net.hadess.PowerProfiles")
        self.set_profile("net.hadess.PowerProfiles", "/net/hadess/PowerProfiles", "balanced")
        self.profile_is(daemon, "balanced")
        name, path = "org.freedesktop.UPower.PowerProfiles", "/org/freedesktop/UPower/PowerProfiles"
        self.mock(self.system, name, path, name)
        eventually(lambda: self.connection.name_has_owner(name), name)
        self.connection.call_blocking(name, path, "org.freedesktop.DBus.Mock", "AddProperties", "sa{sv}",
                                      (name, dbus.Dictionary({"ActiveProfile": "power-saver"}, signature="sv")))
        self.set_profile(name, path, "power-saver")
        self.profile_is(daemon, "power-saver")

    def inhibitors(self):
        return self.connection.call_blocking("org.freedesktop.login1", "/org/freedesktop/login1",
                                             "org.freedesktop.login1.Manager", "ListInhibitors", "", ())

    def test_sleep_is_delayed_while_there_is_work_and_new_work_waits_for_the_morning(self):
        self.template(self.system, "logind", "org.freedesktop.login1")
        backend = Backend()
        self.addCleanup(backend.stop)
        daemon = self.start_daemon({"backends": [{"id": "a", "endpoint": f"http://127.0.0.1:{backend.port}",
                                                  "max_concurrency": 4}],
                                    "monitors": {"sysfs_root": self.folder}}, ())
        self.assertEqual(list(self.inhibitors()), [])
        answers = []

        def ask():
            answers.append(daemon.post("/api/chat", {"model": "m", "stream": False, "messages": [
                {"role": "user", "content": "hi"}]})[0]["message"]["content"])

        backend.hold.clear()
        first = threading.Thread(target=ask)
        first.start()
        held = eventually(self.inhibitors, "the inhibitor")
        self.assertEqual(tuple(held[0])[:1] + (tuple(held[0])[3],), ("sleep", "delay"))

        prepare_for_sleep(self.connection, True)
        eventually(lambda: not self.inhibitors(), "the inhibitor's end")
        backend.hold.set()  # what runs may finish
        first.join(20)
        self.assertEqual(answers, ["hi"])
        eventually(lambda: daemon.metric("ollama_proxy_connections") == 1, "nobody but who asks for this")
        second = threading.Thread(target=ask)
        second.start()
        managed = []
        others = [threading.Thread(target=lambda path=path, body=body: managed.append(daemon.post(path, body)[0]))
                  for path, body in (("/api/copy", {"source": "m", "destination": "n"}),
                                     ("/api/generate", {"model": "m", "keep_alive": 0}))]
        for one in others:
            one.start()
        eventually(lambda: daemon.metric("ollama_proxy_connections") == 4, "the three requests")
        for _ in range(20):  # others are served meanwhile, by the same workers
            daemon.get("/backends")
        self.assertEqual((backend.asked, answers, managed), (1, ["hi"], []))
        backend.hold.clear()
        prepare_for_sleep(self.connection, False)
        eventually(self.inhibitors, "the inhibitor for what waited")
        backend.hold.set()
        for waiting in (second, *others):
            waiting.join(20)
        self.assertEqual((backend.asked, answers, len(managed)), (4, ["hi", "hi"], 2))
        eventually(lambda: not self.inhibitors(), "no inhibitor when nothing runs")

    def test_waking_drops_idle_connections_and_probes_at_once(self):
        self.template(self.system, "logind", "org.freedesktop.login1")
        backend = Backend()
        self.addCleanup(backend.stop)
        day = 86_400_000  # nothing probes by itself
        daemon = self.start_daemon({"backends": [{"id": "a", "endpoint": f"http://127.0.0.1:{backend.port}"}],
                                    "health": {"interval_ms": day, "idle_interval_ms": day},
                                    "monitors": {"sysfs_root": self.folder}}, ())
        eventually(lambda: daemon.get("/backends")["backends"][0]["models"], "the catalog")

        def ask():
            daemon.post("/api/chat", {"model": "m", "stream": False, "messages": []})

        eventually(lambda: watches_sleep(self.connection), "a daemon that listens to logind")
        ask()
        eventually(lambda: not self.inhibitors(), "rest")
        before, closed = backend.probes, backend.closed
        self.assertGreaterEqual(backend.connections, 1)  # kept for the next request
        kept = backend.connections
        latency = daemon.get("/backends")["backends"][0]["avg_latency_ms"]
        prepare_for_sleep(self.connection, True)
        prepare_for_sleep(self.connection, False)
        eventually(lambda: backend.closed >= closed + kept, "the end of the kept connections")
        eventually(lambda: backend.probes > before, "a probe")
        self.assertEqual(daemon.get("/backends")["backends"][0]["avg_latency_ms"], latency)
        ask()
        self.assertEqual(backend.asked, 2)

    def test_who_dies_while_the_machine_is_said_to_sleep_wakes_the_router(self):
        self.template(self.system, "logind", "org.freedesktop.login1")
        daemon = self.start_daemon({"monitors": {"sysfs_root": self.folder}})
        eventually(lambda: daemon.get("/backends")["backends"][0]["healthy"], "health")
        eventually(lambda: watches_sleep(self.connection), "a daemon that listens to logind")
        prepare_for_sleep(self.connection, True)
        self.system.stop()
        eventually(lambda: daemon.count("system bus is lost"), "the loss")
        answer, _ = daemon.post("/v1/chat/completions", {"model": "qwen2.5:0.5b", "max_tokens": 1, "messages": [
            {"role": "user", "content": "hi"}]})
        self.assertTrue(answer["choices"])


if __name__ == "__main__":
    unittest.main()
