"""A backend that keeps what it is sent, byte for byte, and answers with what the test put into `pieces`."""

import json
import queue
import select
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "tiny:latest"


class Recorder:
    """`pieces`: the answer's event-stream pieces; `endless` keeps it open until the other side closes."""

    def __init__(self):
        self.requests = queue.Queue()  # (path, body)
        self.closed = queue.Queue()    # time.perf_counter() at which an endless answer was cut
        self.pieces, self.endless = [], False
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                known = {"/v1/models": {"object": "list", "data": [
                    {"id": MODEL, "object": "model", "created": 1, "owned_by": "test"}]}}
                body = json.dumps(known.get(self.path, {})).encode()
                self.send_response(200 if self.path in known else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                recorder.requests.put((self.path, body))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in recorder.pieces:
                    data = piece.encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                if recorder.endless:
                    readable, _, _ = select.select([self.connection], [], [], 5)
                    if readable:
                        recorder.closed.put(time.perf_counter())
                    self.close_connection = True
                else:
                    self.wfile.write(b"0\r\n\r\n")

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def chunk(content, finish=None):
    return "data: " + json.dumps({
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": finish}]}) + "\n\n"


DONE = "data: [DONE]\n\n"
