#!/usr/bin/env python3
"""Delay that the proxy adds to each token, over WebSocket and over SSE side by side.

An upstream on loopback writes the time into each token, every 5 ms; a client reads it straight from there, through
the proxy as SSE, and through the proxy as WebSocket messages, in turns. Printed: one-way delay in microseconds, and
what the proxy added to the median of the straight way.

  tests/bench/websocket_beside_sse.py build/release/ollama-proxy [ROUNDS]
"""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TOKENS = 200
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
REQUEST = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def token(text):
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = int((re.search(rb"(?i)content-length: *(\d+)", head) or [0, 0])[1])
        while len(body) < length:
            body += connection.recv(65536)
        if head.startswith(b"GET"):
            reply = b'{"object":"list","data":[{"id":"m","object":"model"}]}'
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                               % (len(reply), reply))
            continue
        connection.sendall(HEAD)
        for _ in range(TOKENS):
            time.sleep(0.005)
            connection.sendall(chunk(token("@%d@" % time.perf_counter_ns())))
        end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        connection.sendall(chunk(end) + b"0\r\n\r\n")


def upstream():
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def delays(port, opening, request):
    """One-way delays of the tokens in microseconds: every one is read as soon as it comes."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if opening:
            client.sendall(opening)
            while not client.recv(65536).endswith(b"\r\n\r\n"):
                pass
        client.sendall(request)
        found = []
        while len(found) < TOKENS:
            data = client.recv(65536)
            now = time.perf_counter_ns()
            if not data:
                raise SystemExit("the stream ended early")
            found += [(now - int(sent)) / 1000 for sent in re.findall(rb"@(\d+)@", data)]
        return found[20:]


def post(body):
    body = json.dumps(body).encode()
    return (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


def text_frame(message):
    payload = json.dumps(message).encode()
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + size + b"\0\0\0\0" + payload  # a mask of zeros


HANDSHAKE = (b"GET /v1/stream/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


def main():
    binary, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    straight = upstream()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "config.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"server": {"grpc_port": None}, "dbus": {"enabled": False}, "state_dir": folder,
                       "backends": [{"id": "a", "type": "openai", "endpoint": f"http://127.0.0.1:{straight}"}]}, file)
        daemon = subprocess.Popen([binary, "--config", path, "--http-port", "0"], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
        try:
            port = next(int(m[1]) for m in (re.search(r"http://[^ ]*?:(\d+)", line) for line in daemon.stdout) if m)
            threading.Thread(target=daemon.stdout.read, daemon=True).start()
            ways = {"straight": (straight, None, post(REQUEST)), "sse": (port, None, post(REQUEST)),
                    "websocket": (port, HANDSHAKE, text_frame({"request_id": "1", **REQUEST}))}
            samples = {name: [] for name in ways}
            for _ in range(rounds):
                for name, way in ways.items():
                    samples[name] += delays(*way)
        finally:
            daemon.terminate()
            daemon.wait()
    base = statistics.median(samples["straight"])
    print(f"{'way':10} {'p50 us':>8} {'p99 us':>8} {'added p50 us':>13}")
    for name, values in samples.items():
        p50, p99 = statistics.median(values), statistics.quantiles(values, n=100)[98]
        print(f"{name:10} {p50:8.0f} {p99:8.0f} {p50 - base:13.0f}")
    added = {name: statistics.median(values) - base for name, values in samples.items()}
    print(f"websocket / sse: {added['websocket'] / added['sse']:.2f}")


if __name__ == "__main__":
    main()
