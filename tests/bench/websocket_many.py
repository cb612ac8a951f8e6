#!/usr/bin/env python3
"""A thousand WebSockets that stream at once, beside one that never reads what a flooding backend sends it.

Measured: delay of the others' tokens without and with the slow reader, how long after a socket's closing its backend
stream is closed, one by one and all at once, and what is left of slots and descriptors. Fails when a limit is broken.

  tests/bench/websocket_many.py build/release/ollama-proxy [SOCKETS]
"""

import asyncio
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from websocket_beside_sse import HANDSHAKE, HEAD, REQUEST, chunk, text_frame, token

INTERVAL_S = 0.5  # between the tokens of a stream
WATCHED_S = 5
CLOSE_LIMIT_MS = 100
ONE_BY_ONE = 100
STAMP = re.compile(rb"@(\d+)@")


class Upstream(asyncio.Protocol):
    """Streams the time every INTERVAL_S, or as much as is taken; notes when its client has gone."""

    closed = {}  # request id -> when
    taken = 0  # bytes that the flood got rid of
    streams = 0

    def connection_made(self, transport):
        self.transport, self.data, self.id, self.room = transport, b"", None, asyncio.Event()
        self.room.set()

    def data_received(self, data):
        self.data += data
        head, separator, body = self.data.partition(b"\r\n\r\n")
        length = int((re.search(rb"(?i)content-length: *(\d+)", head) or [0, 0])[1])
        if not separator or len(body) < length:
            return
        self.data = b""
        if head.startswith(b"GET"):
            reply = b'{"object":"list","data":[{"id":"m","object":"model"}]}'
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                                 % (len(reply), reply))
            return
        self.id = json.loads(body)["messages"][0]["content"]
        Upstream.streams += 1
        self.transport.write(HEAD)
        self.task = asyncio.ensure_future(self.flood() if self.id == "slow" else self.stream())

    async def stream(self):
        await asyncio.sleep(hash(self.id) % 1000 / 1000 * INTERVAL_S)  # not all in the same moment
        while True:
            self.transport.write(chunk(token("@%d@" % time.perf_counter_ns())))
            await asyncio.sleep(INTERVAL_S)

    async def flood(self):
        piece = chunk(token("y" * 4000))
        while True:
            self.transport.write(piece)
            Upstream.taken += len(piece)
            await self.room.wait()
            await asyncio.sleep(0)

    def pause_writing(self):
        self.room.clear()

    def resume_writing(self):
        self.room.set()

    def connection_lost(self, _):
        if self.id is not None:
            Upstream.closed[self.id] = time.perf_counter()
            self.task.cancel()


class Client(asyncio.Protocol):
    delays = []

    def __init__(self, name):
        self.name, self.shaken, self.tail, self.tokens = name, False, b"", 0

    def connection_made(self, transport):
        self.transport = transport
        transport.write(HANDSHAKE)

    def data_received(self, data):
        now = time.perf_counter_ns()
        if not self.shaken:
            assert data.startswith(b"HTTP/1.1 101"), data
            self.shaken = True
            if self.name == "slow":
                self.transport.pause_reading()
            messages = [{"role": "user", "content": self.name}]
            self.transport.write(text_frame({**REQUEST, "request_id": self.name, "messages": messages}))
            return
        for sent in STAMP.findall(self.tail + data):
            self.tokens += 1
            Client.delays.append((now - int(sent)) / 1e6)
        self.tail = (self.tail + data)[-16:].rpartition(b"@")[2]


async def until(what, limit_s=60):
    end = time.monotonic() + limit_s
    while not what():
        if time.monotonic() > end:
            raise SystemExit("not in time")
        await asyncio.sleep(0.005)


async def watched(name):
    """Delays of all tokens for a while."""
    Client.delays.clear()
    await asyncio.sleep(WATCHED_S)
    cuts = statistics.quantiles(Client.delays, n=100)
    print(f"{name:28} p50 {cuts[49]:6.2f} ms   p99 {cuts[98]:6.2f} ms   ({len(Client.delays)} tokens)")
    return cuts


def backend(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/backends") as reply:
        return json.load(reply)["backends"][0]


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


async def measure(daemon, port, sockets):
    loop = asyncio.get_running_loop()
    before = descriptors(daemon)

    async def connect(name):
        return (await loop.create_connection(lambda: Client(name), "127.0.0.1", port))[1]

    clients = [await connect(str(i)) for i in range(sockets)]
    await until(lambda: all(client.tokens for client in clients))
    in_flight = (await asyncio.to_thread(backend, port))["in_flight"]
    print(f"{len(clients)} sockets stream, {in_flight} requests in flight")
    alone = await watched("the others alone")
    slow = await connect("slow")
    await until(lambda: Upstream.streams == sockets + 1)
    beside = await watched("beside the slow reader")
    taken = Upstream.taken
    await asyncio.sleep(1)
    print(f"the slow reader's backend got rid of {taken / 2**20:.1f} MiB and then of {Upstream.taken - taken} bytes")

    took = []
    for client in clients[:ONE_BY_ONE]:
        left = time.perf_counter()
        client.transport.abort()
        await until(lambda name=client.name: name in Upstream.closed)
        took.append((Upstream.closed[client.name] - left) * 1000)
    print(f"closed one by one: backend stream closed after p50 {statistics.median(took):.1f} ms, max {max(took):.1f} ms")
    left = time.perf_counter()
    for client in [*clients[ONE_BY_ONE:], slow]:
        client.transport.abort()
    await until(lambda: len(Upstream.closed) == sockets + 1)
    at_once = (max(Upstream.closed.values()) - left) * 1000
    print(f"closed at once: the last of {sockets + 1 - ONE_BY_ONE} backend streams after {at_once:.1f} ms")
    await asyncio.sleep(0.5)
    end = await asyncio.to_thread(backend, port)
    left_over = descriptors(daemon) - before
    print(f"left: {end['in_flight']} in flight, {left_over} descriptors, {end['failures']} failures counted")
    broken = {"sockets": in_flight != sockets, "slots": end["in_flight"] != 0, "descriptors": left_over > 10,
              "closing": statistics.quantiles(took, n=20)[18] > CLOSE_LIMIT_MS, "failures": end["failures"] != 0,
              "slow reader": beside[49] > 2 * alone[49] + 5 or Upstream.taken != taken}
    return [name for name, is_broken in broken.items() if is_broken]


async def main():
    binary, sockets = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "config.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"server": {"grpc_port": None}, "dbus": {"enabled": False}, "monitors": {"enabled": False},
                       "state_dir": folder, "logging": {"access_log": False},
                       "backends": [{"id": "a", "type": "openai", "endpoint": endpoint,
                                     "max_concurrency": 2 * sockets}]}, file)
        daemon = subprocess.Popen([binary, "--config", path, "--http-port", "0"], stdout=subprocess.PIPE, text=True)
        try:
            line = await asyncio.to_thread(daemon.stdout.readline)
            port = int(re.search(r"http://[^ ]*?:(\d+)", line)[1])
            while not (await asyncio.to_thread(backend, port))["models"]:
                await asyncio.sleep(0.05)
            broken = await measure(daemon, port, sockets)
        finally:
            daemon.terminate()
            await asyncio.to_thread(daemon.wait)
    if broken:
        raise SystemExit("broken: " + ", ".join(broken))


if __name__ == "__main__":
    asyncio.run(main())
