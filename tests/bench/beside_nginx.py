#!/usr/bin/env python3
"""Measures the proxy beside nginx, in one run, in turns.

  tests/bench/beside_nginx.py [--build DIR] [--rounds N] [--seconds S]

Both have two workers, keep-alive to the same upstream and no buffering, and log nothing. What is
compared is CPU time (user + system of all their processes, from /proc), because the machines that
this runs on are noisy: per small request at 32 connections, and per token at 100 streams of 100
tokens a second. Memory per idle stream is the growth of resident memory over 4,000 open streams.
Needs nginx and wrk (Debian packages) and a build with tests.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BODY = '{"model":"bench:latest","max_tokens":1,"messages":[{"role":"user","content":"go"}]}'
TICK = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """A process and its children."""
    found = [pid]
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry))
    return found


def cpu_seconds(pid):
    total = 0
    for one in tree(pid):
        # schedstat counts nanoseconds on a core; stat's ticks are 10 ms
        for task in os.listdir(f"/proc/{one}/task"):
            try:
                with open(f"/proc/{one}/task/{task}/schedstat") as stat:
                    total += int(stat.read().split()[0])
            except OSError:
                pass
    return total / 1e9


def resident_kb(pid):
    total = 0
    for one in tree(pid):
        with open(f"/proc/{one}/status") as status:
            match = re.search(r"VmRSS:\s+(\d+)", status.read())
            total += int(match.group(1)) if match else 0
    return total


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, seconds=10):
    import socket

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens on {port}")


class Upstream:
    def __init__(self, build, first_ms, rate, tokens):
        self.process = subprocess.Popen(
            [f"{build}/bench_upstream", str(first_ms), str(rate), str(tokens)],
            stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.wait()


class Nginx:
    name = "nginx"

    def __init__(self, folder, upstream_port):
        self.port = free_port()
        conf = f"""
worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 9000; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 10000000;
  upstream model {{ server 127.0.0.1:{upstream_port}; keepalive 256; keepalive_requests 10000000; }}
  server {{ listen 127.0.0.1:{self.port};
    location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; }} }} }}"""
        path = f"{folder}/nginx.conf"
        with open(path, "w") as out:
            out.write(conf)
        self.process = subprocess.Popen(["nginx", "-c", path, "-p", folder])
        wait_for(self.port)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Proxy:
    name = "ollama-proxy"

    def __init__(self, folder, upstream_port, build):
        config = f"""
server: {{ host: 127.0.0.1, http_port: 0, workers: 2, limits: {{ connections: 9000 }} }}
logging: {{ level: error, access_log: false }}
state_dir: {folder}
backends:
  - {{ id: bench, type: ollama, hardware: cpu, endpoint: "http://127.0.0.1:{upstream_port}",
      max_concurrency: 9000, max_in_flight: 9000 }}
"""
        path = f"{folder}/config.yaml"
        with open(path, "w") as out:
            out.write(config)
        self.process = subprocess.Popen([f"{build}/ollama-proxy", "--config", path],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", self.process.stdout.readline()).group(1))
        wait_for(self.port)
        time.sleep(0.5)  # its first probe

    def stop(self):
        self.process.terminate()
        self.process.wait()


def small_requests(target, folder, seconds):
    script = f"{folder}/post.lua"
    with open(script, "w") as out:
        out.write(f"wrk.method='POST'\nwrk.body='{BODY}'\n"
                  "wrk.headers['Content-Type']='application/json'\n")
    before = cpu_seconds(target.process.pid)
    result = subprocess.run(
        ["wrk", "-t1", "-c32", f"-d{seconds}s", "-s", script,
         f"http://127.0.0.1:{target.port}/v1/chat/completions"],
        capture_output=True, text=True, check=True).stdout
    used = cpu_seconds(target.process.pid) - before
    if "Non-2xx" in result or "Socket errors" in result:
        sys.exit(f"{target.name} failed requests:\n{result}")
    count = int(re.search(r"(\d+) requests in", result).group(1))
    return used / count * 1e6, count / seconds


def streams(target, build, count, tokens):
    before = cpu_seconds(target.process.pid)
    result = subprocess.run([f"{build}/bench_streams", str(target.port), str(count), str(tokens)],
                            capture_output=True, text=True)
    used = cpu_seconds(target.process.pid) - before
    if result.returncode != 0:
        sys.exit(f"{target.name} lost streams: {result.stdout}{result.stderr}")
    return used / (count * tokens) * 1e6


def idle_memory(target, build, count):
    before = resident_kb(target.process.pid)
    client = subprocess.Popen([f"{build}/bench_streams", str(target.port), str(count), "100",
                               "--hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if client.stdout.readline().strip() != "held":
        sys.exit(f"{target.name}: not every stream began")
    time.sleep(0.5)
    grown = resident_kb(target.process.pid) - before
    client.stdin.close()
    client.wait()
    return grown / count


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--idle-streams", type=int, default=4000)
    options = parser.parse_args()
    for tool in ("nginx", "wrk"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is needed: apt-get install nginx-light wrk")
    rows = {}

    def note(what, name, value):
        rows.setdefault(what, {}).setdefault(name, []).append(value)
        print(f"  {what:<38} {name:<13} {value:10.2f}", flush=True)

    def in_turns(upstream, measure):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            os.mkdir(f"{folder}/n")
            targets = [Nginx(f"{folder}/n", upstream.port), Proxy(folder, upstream.port, options.build)]
            try:
                for round_number in range(options.rounds):
                    order = targets if round_number % 2 == 0 else targets[::-1]
                    for target in order:
                        measure(target, folder)
            finally:
                for target in targets:
                    target.stop()

    def request_round(target, folder):
        cpu, rate = small_requests(target, folder, options.seconds)
        note("CPU us per request, 32 connections", target.name, cpu)
        note("requests/s (noisy)", target.name, rate)

    upstream = Upstream(options.build, 0, 0, 1)
    in_turns(upstream, request_round)
    upstream.stop()

    upstream = Upstream(options.build, 1, 100, options.tokens)
    in_turns(upstream, lambda target, folder: note(
        "CPU us per token, 100 streams", target.name,
        streams(target, options.build, 100, options.tokens)))
    upstream.stop()

    options.rounds = 1
    upstream = Upstream(options.build, 1, 0.001, 100)
    in_turns(upstream, lambda target, folder: note(
        f"kB per idle stream, {options.idle_streams} streams", target.name,
        idle_memory(target, options.build, options.idle_streams)))
    upstream.stop()

    # The two halves of a round are neighbours in time: what the machine does to both cancels.
    print("\nmedians, and the median of the rounds' ratios with the middle half of them:")
    for what, values in rows.items():
        mine, theirs = values["ollama-proxy"], values["nginx"]
        ratios = sorted(a / b for a, b in zip(mine, theirs))
        low, high = ratios[len(ratios) // 4], ratios[(3 * len(ratios)) // 4]
        print(f"  {what:<38} ollama-proxy {statistics.median(mine):9.2f}   nginx "
              f"{statistics.median(theirs):9.2f}   ratio {statistics.median(ratios):.2f} "
              f"({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
