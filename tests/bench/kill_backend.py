#!/usr/bin/env python3
"""A backend dies every second under load, two others are well: what becomes of the requests?

  tests/bench/kill_backend.py [--build DIR] [--requests N] [--clients C]

Three backends, each a process of its own; one of them gets SIGKILL every second and is started anew
on the same port. Half of the requests stream, half do not; each carries a number that the backend
puts into every token, so that a lost, doubled or strange token is seen. Counted are: requests that
got no answer although nothing had been sent to them yet (must be 0), cut streams without an error
event (must be 0), and tokens that are doubled or somebody else's (must be 0). Exits with 1 when one
of them is not 0. Standard library only; needs a build of the daemon.
"""
import argparse
import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

from overload import TAGS, http, read_message

TOKENS = 8
PAUSE_S = 0.01


def chunk(data):
    return b"%x\r\n" % len(data) + data + b"\r\n"


async def backend(port):
    """One backend: serves until it is killed."""
    async def answer(reader, writer):
        try:
            while True:
                head, body = await read_message(reader)
                path = head.split(b" ", 2)[1]
                if path != b"/v1/chat/completions":
                    writer.write(http("200 OK", {b"/api/tags": TAGS, b"/api/version": b'{"version":"0.9.0"}'}.get(
                        path, b'{"models":[]}')))
                    await writer.drain()
                    continue
                request = json.loads(body)
                number = request["messages"][0]["content"]
                if not request.get("stream"):
                    await asyncio.sleep(TOKENS * PAUSE_S)
                    text = json.dumps({"id": "c", "choices": [{"message": {
                        "role": "assistant", "content": number}, "finish_reason": "stop"}]})
                    writer.write(http("200 OK", text.encode()))
                    await writer.drain()
                    continue
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                             b"Transfer-Encoding: chunked\r\n\r\n")
                for i in range(TOKENS):
                    await asyncio.sleep(PAUSE_S)
                    event = {"choices": [{"index": 0, "delta": {"content": f"{number}.{i} "}}]}
                    writer.write(chunk(b"data: " + json.dumps(event).encode() + b"\n\n"))
                    await writer.drain()
                end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
                writer.write(chunk(b"data: " + json.dumps(end).encode() + b"\n\ndata: [DONE]\n\n") +
                             b"0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=1024)
    print("ready", flush=True)
    await server.serve_forever()


class Tally:
    def __init__(self):
        self.done = self.cut = self.lost = self.silent = self.wrong = 0
        self.examples = []

    def note(self, kind, text):
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.examples) < 5:
            self.examples.append(f"{kind}: {text[:200]}")


async def ask(port, connection, number, streams, tally):
    """One request; returns the connection, or None where it has ended."""
    if connection is None:
        connection = await asyncio.open_connection("127.0.0.1", port)
    reader, writer = connection
    body = json.dumps({"model": "bench:latest", "stream": streams,
                       "messages": [{"role": "user", "content": str(number)}]}).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                 b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    text = b""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
            tally.note("lost", (await reader.readexactly(length)).decode())
            return None
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if length:
            answer = json.loads(await reader.readexactly(int(length.group(1))))
            good = answer["choices"][0]["message"]["content"] == str(number)
            tally.done += good
            if not good:
                tally.note("wrong", str(answer))
            return connection
        ended = False
        try:
            while True:
                size = int((await reader.readuntil(b"\r\n")).strip(), 16)
                text += (await reader.readexactly(size + 2))[:size]
                if size == 0:
                    ended = True
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        tally.note("lost", f"connection ended: {error}")
        return None
    tokens = "".join(re.findall(r'"content": ?"([^"]*)"', text.decode())).split()
    if tokens != [f"{number}.{i}" for i in range(len(tokens))]:
        tally.note("wrong", f"{number}: {tokens}")
    elif b"[DONE]" in text and len(tokens) == TOKENS and ended:
        tally.done += 1
    elif not tokens:
        tally.note("lost", f"{number}: nothing before the cut: {text.decode()}")
    elif b'"error"' in text:
        tally.cut += 1
    else:
        tally.note("silent", f"{number}: {text.decode()[-200:]}")
    return connection if ended else None


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start_backend(port):
    process = subprocess.Popen([sys.executable, __file__, "--serve", str(port)], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


async def run(options):
    ports = [free_port() for _ in range(3)]
    backends = [start_backend(port) for port in ports]
    tally = Tally()
    kills = 0
    with tempfile.TemporaryDirectory() as state:
        path = os.path.join(state, "c.yaml")
        with open(path, "w") as out:
            out.write(f"state_dir: {state}\nlogging: {{ level: error, access_log: false }}\n"
                      "server: { http_port: 0, grpc_port: 0 }\nbackends:\n")
            for i, port in enumerate(ports):
                out.write(f'  - {{ id: b{i}, type: ollama, hardware: cpu, endpoint: "http://127.0.0.1:{port}",'
                          " max_concurrency: 64, max_in_flight: 64 }\n")
        daemon = subprocess.Popen([os.path.join(options.build, "ollama-proxy"), "--config", path],
                                  stdout=subprocess.PIPE, text=True)
        proxy = int(re.search(r"http://127\.0\.0\.1:(\d+)", daemon.stdout.readline()).group(1))
        numbers = iter(range(options.requests))
        over = asyncio.Event()

        async def client():
            connection = None
            for number in numbers:
                connection = await ask(proxy, connection, number, number % 2 == 0, tally)

        async def killer():
            nonlocal kills
            loop = asyncio.get_running_loop()
            while not over.is_set():
                try:
                    await asyncio.wait_for(over.wait(), 1.0)
                except asyncio.TimeoutError:
                    backends[0].send_signal(signal.SIGKILL)
                    backends[0].wait()
                    kills += 1
                    backends[0] = await loop.run_in_executor(None, start_backend, ports[0])

        begin = time.monotonic()
        killing = asyncio.create_task(killer())
        await asyncio.gather(*(client() for _ in range(options.clients)))
        took = time.monotonic() - begin
        over.set()
        await killing
        daemon.terminate()
        daemon.wait()
    for one in backends:
        one.kill()
        one.wait()
    print(f"{options.requests} requests in {took:.0f} s, {kills} kills of one backend of three")
    print(f"answered whole                                  {tally.done}")
    print(f"streams cut after their first token, with error {tally.cut}")
    print(f"cut without a word      (bound: 0)              {tally.silent}")
    print(f"lost before a byte      (bound: 0)              {tally.lost}")
    print(f"doubled or strange      (bound: 0)              {tally.wrong}")
    print("\n".join(tally.examples))
    return 1 if tally.silent or tally.lost or tally.wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        try:
            asyncio.run(backend(options.serve))
        except KeyboardInterrupt:
            pass
        return 0
    return asyncio.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
