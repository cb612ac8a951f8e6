#!/usr/bin/env python3
"""What HTTP clients notice of 10,000 D-Bus calls a second: their delays without and with them.

  OLLAMA_PROXY_BINARY=build/release/ollama-proxy tests/bench/dbus_flood.py [calls a second] [seconds]

A private bus, callers that wait for answers and keep the rate if they can, and one HTTP client that asks one thing after
another. Bus, callers, client and daemon share this machine's processors, so what is shown is an upper bound of what
the daemon is to blame for. Needs what tests/dbus needs.
"""

import http.client
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "dbus"))
os.environ.setdefault("OLLAMA_PROXY_BINARY", "build/release/ollama-proxy")
os.environ["OLLAMA_PROXY_BINARY"] = str(Path(os.environ["OLLAMA_PROXY_BINARY"]).resolve())

import dbus.bus  # noqa: E402
import dbus.lowlevel  # noqa: E402
from desk import Bus, Daemon  # noqa: E402
from gi.repository import GLib  # noqa: E402

CALLERS = 2
CALLS = (("Backends", "ListBackends"), ("Efficiency", "GetEfficiencyMode"), ("Thermal", "GetThermalState"))


def call(address, rate, seconds, results):
    """Keeps `rate` calls a second under way for a while; tells how many were answered."""
    os.nice(5)
    from dbus.mainloop.glib import DBusGMainLoop  # pylint: disable=import-outside-toplevel
    connection = dbus.bus.BusConnection(address, mainloop=DBusGMainLoop())
    messages = []
    for part, member in CALLS:
        name = f"ie.fio.OllamaProxy.{part}"
        messages.append(dbus.lowlevel.MethodCallMessage(name, f"/ie/fio/OllamaProxy/{part}", name, member))
    sent = answered = 0

    def answer(_):
        nonlocal answered
        answered += 1

    context = GLib.MainContext.default()
    begin = time.monotonic()
    while (elapsed := time.monotonic() - begin) < seconds:
        while sent < elapsed * rate and sent - answered < 2000:
            connection.send_message_with_reply(messages[sent % len(messages)].copy(), answer)
            sent += 1
        context.iteration(False)
        if sent >= elapsed * rate:
            time.sleep(0.0005)
    results.put(answered / (time.monotonic() - begin))


def delays(port, seconds):
    """Milliseconds of requests one after another on one connection, sorted."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    out = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        client.request("GET", "/efficiency")
        reply = client.getresponse()
        reply.read()
        if reply.status != 200:
            raise SystemExit(f"HTTP answered {reply.status}")
        out.append((time.monotonic() - begin) * 1000)
        time.sleep(0.002)
    client.close()
    return sorted(out)


def show(title, times):
    def at(part):
        return times[min(len(times) - 1, int(len(times) * part))]
    print(f"{title}: {len(times)} requests, median {statistics.median(times):.2f} ms, "
          f"p95 {at(0.95):.2f}, p99 {at(0.99):.2f}, worst {times[-1]:.2f}")


def main():
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        bus = Bus("session", folder)
        daemon = Daemon(folder, {"DBUS_SESSION_BUS_ADDRESS": bus.address,
                                 "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/none"},
                        {"notifications": {"enabled": False}}, ("--demo",))
        try:
            port = int(daemon.url.rsplit(":", 1)[1])
            connection = bus.connect()
            while not all(connection.name_has_owner(f"ie.fio.OllamaProxy.{part}") for part, _ in CALLS):
                time.sleep(0.05)
            show("without", delays(port, seconds))
            results = multiprocessing.Queue()
            callers = [multiprocessing.Process(target=call, args=(bus.address, rate / CALLERS, seconds + 1, results))
                       for _ in range(CALLERS)]
            for caller in callers:
                caller.start()
            time.sleep(0.5)
            times = delays(port, seconds)
            answered = sum(results.get() for _ in callers)
            for caller in callers:
                caller.join()
            show(f"with {answered:.0f} answered calls a second", times)
        finally:
            daemon.stop()
            bus.stop()


if __name__ == "__main__":
    main()
