#!/usr/bin/env python3
"""Our readings of NVIDIA GPUs beside those of their library, on a machine that has one.

  tests/hardware/nvml.py build/release/ollama-proxy [ROOT]

Ends with 1 when the daemon knows no temperature, or one that is more than 5 degrees off; with 77 where there is no
GPU to ask. ROOT/sys and ROOT/proc are looked at in place of /sys and /proc.
"""

import ctypes
import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

SKIPPED = 77
CLOSE = 5  # degrees: it goes on working between the two readings


def from_library():
    """(degrees, watts) of the first GPU, as NVML tells them; None where there is none."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    device, celsius, milliwatts = ctypes.c_void_p(), ctypes.c_uint(), ctypes.c_uint()
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)):
        return None
    try:
        if nvml.nvmlDeviceGetTemperature(device, 0, ctypes.byref(celsius)):
            return None
        nvml.nvmlDeviceGetPowerUsage(device, ctypes.byref(milliwatts))
        return celsius.value, milliwatts.value / 1000
    finally:
        nvml.nvmlShutdown()


def from_daemon(binary, root):
    """The answer of GET /thermal once it knows a GPU, or after a while."""
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "config.yaml"
        config.write_text(
            "server: {http_port: 0, grpc_port: null}\n"
            "backends: [{id: gpu, hardware: nvidia, endpoint: 'http://127.0.0.1:9'}]\n"
            f"monitors: {{interval_ms: 500, idle_interval_ms: 500, sysfs_root: '{root}/sys', proc_root: '{root}/proc'}}\n"
            f"state_dir: '{name}/state'\n")
        daemon = subprocess.Popen([binary, "--config", str(config)], stdout=subprocess.PIPE, text=True)
        try:
            url = daemon.stdout.readline().split("listening on ")[1].split(",")[0].strip()
            for _ in range(40):
                with urllib.request.urlopen(url + "/thermal") as reply:
                    thermal = json.load(reply)
                if thermal["gpu_temperature_c"] is not None:
                    break
                time.sleep(0.5)
            return thermal
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(20)


def main():
    theirs = from_library()
    if theirs is None:
        print("no NVIDIA GPU here")
        return SKIPPED
    thermal = from_daemon(sys.argv[1] if len(sys.argv) > 1 else "build/release/ollama-proxy",
                          sys.argv[2] if len(sys.argv) > 2 else "")
    print(f"NVML: {theirs[0]} degC, {theirs[1]:.1f} W")
    print("ours:", json.dumps([s for s in thermal["sensors"] if s["name"].startswith("nvidia")]))
    ours = thermal["gpu_temperature_c"]
    return 0 if ours is not None and abs(ours - theirs[0]) <= CLOSE else 1


if __name__ == "__main__":
    sys.exit(main())
