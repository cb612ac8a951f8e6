#!/usr/bin/env python3
"""Ten times more requests than the backends can serve, of all four levels: who waits how long?

  tests/bench/overload.py [--build DIR] [--seconds S] [--factor F] [--service-ms MS]

Two backends of four slots each, in a process of their own, that answer after a fixed time. First the
unloaded latency, then the peak (exactly as many clients as slots), then the overload, open-loop:
requests come at random times (Poisson), critical ones at 20 % of the capacity, the rest in equal
parts high, normal and best-effort, from 20 clients' worth of connections. Prints the bounds of the
design beside what was measured. Standard library only; needs a build of the daemon.
"""
import argparse
import asyncio
import os
import random
import re
import subprocess
import sys
import tempfile
import time

LEVELS = ("critical", "high", "normal", "best-effort")
SLOTS = 4
BACKENDS = 2
ANSWER = b'{"id":"c","choices":[{"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}'
TAGS = b'{"models":[{"name":"bench:latest","model":"bench:latest","size":1000}]}'
BODY = b'{"model":"bench:latest","messages":[{"role":"user","content":"go"}]}'


def http(status, body, close=False):
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + (b"Connection: close\r\n" if close else b"") + b"\r\n" + body


async def read_message(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    body = await reader.readexactly(int(length.group(1))) if length else b""
    return head, body


async def serve_backends(service_s):
    """The backends: prints its ports, then answers until it is killed."""
    async def answer(reader, writer):
        try:
            while True:
                head, _ = await read_message(reader)
                path = head.split(b" ", 2)[1]
                if path == b"/api/tags":
                    writer.write(http("200 OK", TAGS))
                elif path == b"/api/ps":
                    writer.write(http("200 OK", b'{"models":[]}'))
                elif path == b"/api/version":
                    writer.write(http("200 OK", b'{"version":"0.9.0"}'))
                else:
                    await asyncio.sleep(service_s)
                    writer.write(http("200 OK", ANSWER))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    servers = [await asyncio.start_server(answer, "127.0.0.1", 0) for _ in range(BACKENDS)]
    print(*[server.sockets[0].getsockname()[1] for server in servers], flush=True)
    await asyncio.Event().wait()


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Load:
    """Clients of the daemon; keeps the connections that the daemon leaves open."""

    def __init__(self, port):
        self.port = port
        self.idle = []
        self.results = []  # (level, status, seconds, seconds in the queue)

    async def ask(self, level):
        begin = time.monotonic()
        try:
            reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection(
                "127.0.0.1", self.port)
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                         b"Content-Type: application/json\r\nX-Priority: " + level.encode() +
                         b"\r\nContent-Length: " + str(len(BODY)).encode() + b"\r\n\r\n" + BODY)
            head, _ = await read_message(reader)
            status = int(head.split(b" ", 2)[1])
            wait = re.search(rb"(?i)x-queue-wait-ms: *([0-9.]+)", head)
            if b"connection: close" in head.lower():
                writer.close()
            else:
                self.idle.append((reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            status, wait = 0, None
        queued = float(wait.group(1)) / 1000 if wait else 0.0
        self.results.append((level, status, time.monotonic() - begin, queued))

    def take(self):
        taken, self.results = self.results, []
        return taken


def resident_kb(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


async def measure(arguments, port, pid):
    load = Load(port)
    for _ in range(20):
        await load.ask("critical")
    unloaded = quantile([seconds for _, _, seconds, _ in load.take()], 0.5)
    print(f"unloaded latency            {1000 * unloaded:8.1f} ms")

    async def busy(until):
        while time.monotonic() < until:
            await load.ask("normal")

    peak_seconds = max(5.0, arguments.seconds / 6)
    until = time.monotonic() + peak_seconds
    begin = time.monotonic()
    await asyncio.gather(*[busy(until) for _ in range(SLOTS * BACKENDS)])
    peak = sum(1 for _, status, _, _ in load.take() if status == 200) / (time.monotonic() - begin)
    print(f"peak                        {peak:8.1f} requests/s")

    capacity = SLOTS * BACKENDS / (arguments.service_ms / 1000)
    rates = {"critical": 0.2 * capacity}
    for level in LEVELS[1:]:
        rates[level] = (arguments.factor - 0.2) * capacity / 3
    total = sum(rates.values())
    source = random.Random(1)
    start = resident_kb(pid)
    middle = 0
    tasks = set()
    begin = time.monotonic()
    due = begin
    while True:
        due += source.expovariate(total)
        if due > begin + arguments.seconds:
            break
        delay = due - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)
        if not middle and time.monotonic() > begin + arguments.seconds / 3:
            middle = resident_kb(pid)
        level = source.choices(LEVELS, [rates[one] for one in LEVELS])[0]
        task = asyncio.create_task(load.ask(level))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    behind = time.monotonic() - begin - arguments.seconds
    end = resident_kb(pid)
    results = load.take()
    span = time.monotonic() - begin
    good = [one for one in results if one[1] == 200]
    refused = [one for one in results if one[1] == 429 and one[3] == 0]
    print(f"offered                     {total:8.1f} requests/s "
          f"({arguments.factor:g} x capacity) for {arguments.seconds:g} s; driver behind by {1000 * behind:.0f} ms")
    critical = [queued for level, status, _, queued in good if level == "critical"]
    print(f"critical: wait p50 / p99    {1000 * quantile(critical, 0.5):8.1f} / "
          f"{1000 * quantile(critical, 0.99):.1f} ms (bound: 2 x unloaded = {2000 * unloaded:.0f} ms)")
    print(f"goodput                     {len(good) / span:8.1f} requests/s = "
          f"{100 * len(good) / span / peak:.1f} % of the peak (bound: 90 %)")
    latency = [seconds for _, _, seconds, _ in refused]
    print(f"refused at once: p50 / p99  {1000 * quantile(latency, 0.5):8.1f} / "
          f"{1000 * quantile(latency, 0.99):.1f} ms (bound: 10 ms, as the driver sees it)")
    for level in LEVELS:
        of = [one for one in results if one[0] == level]
        counts = {}
        for _, status, _, _ in of:
            counts[status] = counts.get(status, 0) + 1
        served = [one[3] for one in of if one[1] == 200]
        print(f"  {level:12} {len(of):7} answered: " +
              ", ".join(f"{count} x {status}" for status, count in sorted(counts.items())) +
              f"; longest wait of those served {quantile(served, 1.0):.1f} s")
    print(f"resident memory             {start:8} kB before, {middle} kB after a third, {end} kB at the end")
    for task in list(tasks):
        task.cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--factor", type=float, default=10)
    parser.add_argument("--service-ms", type=float, default=400)
    parser.add_argument("--backends", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.backends:
        asyncio.run(serve_backends(arguments.service_ms / 1000))
        return 0

    upstream = subprocess.Popen([sys.executable, __file__, "--backends",
                                 "--service-ms", str(arguments.service_ms)],
                                stdout=subprocess.PIPE, text=True)
    ports = upstream.stdout.readline().split()
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "config.yaml")
        with open(config, "w") as out:
            out.write(f"server: {{http_port: 0, grpc_port: null, workers: 1}}\nstate_dir: {folder}\n"
                      "logging: {level: warn, access_log: false}\ndbus: {enabled: false}\n"
                      "monitors: {enabled: false}\nbackends:\n")
            for i, port in enumerate(ports):
                out.write(f"  - {{id: b{i}, hardware: igpu, endpoint: \"http://127.0.0.1:{port}\", "
                          f"max_concurrency: {SLOTS}}}\n")
        daemon = subprocess.Popen([os.path.join(arguments.build, "ollama-proxy"), "serve",
                                   "--config", config], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
        try:
            port = None
            while port is None:
                line = daemon.stdout.readline()
                if not line:
                    raise SystemExit("the daemon did not start")
                match = re.search(r"http://127\.0\.0\.1:(\d+)", line)
                port = int(match.group(1)) if match else None
            time.sleep(1)  # the first probes
            asyncio.run(measure(arguments, port, daemon.pid))
        finally:
            daemon.terminate()
            daemon.wait()
            upstream.terminate()
            upstream.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
