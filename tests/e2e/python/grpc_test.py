"""gRPC as Python's grpcio speaks it: stubs made from the .proto, streaming, cancellation, statuses."""

import importlib
import sys
import tempfile
import time
import unittest
from pathlib import Path

import grpc
from daemon import Daemon
from grpc_tools import protoc
from recorder import MODEL, Recorder, chunk

PROTO = Path(__file__).parents[3] / "proto"


def stubs():
    """The two modules that grpcio-tools makes of the .proto, as the documentation tells users to."""
    folder = tempfile.mkdtemp(prefix="ollama-proxy-e2e-")
    status = protoc.main(["protoc", f"-I{PROTO}", f"--python_out={folder}", f"--grpc_python_out={folder}",
                          str(PROTO / "ollama_proxy.proto")])
    if status != 0:
        raise RuntimeError("protoc failed")
    sys.path.insert(0, folder)
    return importlib.import_module("ollama_proxy_pb2"), importlib.import_module("ollama_proxy_pb2_grpc")


pb, rpc = stubs()


class SimulatedBackends(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.stop)
        cls.daemon.until_ready()
        channel = grpc.insecure_channel(cls.daemon.grpc)
        cls.addClassCleanup(channel.close)
        cls.proxy = rpc.OllamaProxyStub(channel)

    def test_generate(self):
        reply = self.proxy.Generate(pb.GenerateRequest(
            prompt="Explain AI", model="qwen2.5:0.5b", annotations=pb.Annotations(latency_critical=True)), timeout=20)
        self.assertTrue(reply.response)
        self.assertEqual(reply.backend_used, "demo-nvidia")
        self.assertGreater(reply.stats.tokens_per_second, 0)
        self.assertTrue(reply.stats.HasField("energy_wh"))

    def test_stream_of_a_prompt_ends_with_the_totals(self):
        pieces = list(self.proxy.GenerateStream(pb.GenerateRequest(
            prompt="Explain AI", model="qwen2.5:0.5b",
            annotations=pb.Annotations(prefer_power_efficiency=True)), timeout=30))
        self.assertGreater(len(pieces), 3)
        self.assertTrue(pieces[-1].done)
        self.assertGreater(pieces[-1].stats.tokens_generated, 3)
        self.assertFalse(any(piece.done for piece in pieces[:-1]))

    def test_errors_are_statuses(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.proxy.Generate(pb.GenerateRequest(prompt="hi", model="nobody-has-this"), timeout=20)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)


class Cancellation(unittest.TestCase):
    def test_cancel_stops_the_backend(self):
        recorder = Recorder()
        self.addCleanup(recorder.stop)
        recorder.pieces, recorder.endless = [chunk("one")], True
        daemon = Daemon({"server": {"grpc_port": 0},
                         "backends": [{"id": "only", "type": "openai", "endpoint": recorder.url}]})
        self.addCleanup(daemon.stop)
        daemon.until_ready()
        with grpc.insecure_channel(daemon.grpc) as channel:
            call = rpc.OllamaProxyStub(channel).GenerateStream(
                pb.GenerateRequest(prompt="hi", model=MODEL), timeout=20)
            self.assertEqual(next(call).token, "one")
            before = time.perf_counter()
            call.cancel()
            self.assertLess(recorder.closed.get(timeout=10) - before, 0.1)
            with self.assertRaises(grpc.RpcError) as raised:
                next(call)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.CANCELLED)


if __name__ == "__main__":
    unittest.main()
