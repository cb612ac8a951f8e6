"""The unmodified openai and ollama packages of Python against the daemon."""

import hashlib
import json
import time
import unittest
import urllib.request

import ollama
import openai
from daemon import Daemon
from recorder import DONE, MODEL, Recorder, chunk

QUESTION = [{"role": "user", "content": "Why is the sky blue?"}]


class SimulatedBackends(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.stop)
        cls.daemon.until_ready()
        cls.openai = openai.OpenAI(base_url=cls.daemon.url + "/v1", api_key="unused", max_retries=0, timeout=20)
        cls.addClassCleanup(cls.openai.close)
        cls.ollama = ollama.Client(host=cls.daemon.url)
        cls.model = next(entry.id for entry in cls.openai.models.list() if "embed" not in entry.id and "70b" not in entry.id)

    def test_openai_chat(self):
        reply = self.openai.chat.completions.create(model=self.model, messages=QUESTION)
        self.assertEqual(reply.choices[0].finish_reason, "stop")
        self.assertTrue(reply.choices[0].message.content)
        self.assertGreater(reply.usage.total_tokens, 0)

    def test_openai_chat_streamed_with_usage(self):
        chunks = list(self.openai.chat.completions.create(
            model=self.model, messages=QUESTION, stream=True, stream_options={"include_usage": True}))
        words = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
        self.assertGreater(len(words), 3)
        self.assertGreater(chunks[-1].usage.completion_tokens, 0)

    def test_openai_tools(self):
        tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}}}}]
        reply = self.openai.chat.completions.create(model=self.model, messages=QUESTION, tools=tools, tool_choice="required")
        self.assertEqual(reply.choices[0].message.tool_calls[0].function.name, "get_weather")

    def test_openai_completions(self):
        self.assertTrue(self.openai.completions.create(model=self.model, prompt="Once").choices[0].text)
        stream = self.openai.completions.create(model=self.model, prompt="Once", stream=True)
        self.assertTrue("".join(c.choices[0].text for c in stream if c.choices))

    def test_openai_embeddings(self):
        reply = self.openai.embeddings.create(model=self.model, input=["a cat", "a dog"])
        self.assertEqual(len(reply.data), 2)
        self.assertNotEqual(reply.data[0].embedding, reply.data[1].embedding)

    def test_openai_models(self):
        names = [entry.id for entry in self.openai.models.list()]
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertEqual(self.openai.models.retrieve(name).id, name)

    def test_openai_typed_errors(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.openai.chat.completions.create(model="no-such-model", messages=QUESTION)
        self.assertEqual(caught.exception.code, "model_not_found")
        with self.assertRaises(openai.BadRequestError):
            self.openai.chat.completions.create(model=self.model, messages="not a list")
        with self.assertRaises(openai.InternalServerError) as caught:
            self.openai.chat.completions.create(model=self.model, messages=QUESTION, extra_headers={"X-Max-Power-Watts": "1"})
        self.assertEqual(caught.exception.code, "no_available_backends")

    def test_openai_routing_headers(self):
        with urllib.request.urlopen(self.daemon.url + "/backends", timeout=5) as reply:
            cpu = next(backend["id"] for backend in json.load(reply)["backends"] if backend["hardware"] == "cpu")
        raw = self.openai.chat.completions.with_raw_response.create(
            model=self.model, messages=QUESTION, max_tokens=2, extra_headers={"X-Target-Backend": cpu})
        self.assertEqual(raw.headers["x-backend-used"], cpu)
        self.assertEqual(raw.headers["x-routing-reason"], "explicit-target")

    def test_ollama_chat_and_generate(self):
        self.assertTrue(self.ollama.chat(model=self.model, messages=QUESTION).message.content)
        parts = list(self.ollama.chat(model=self.model, messages=QUESTION, stream=True))
        self.assertGreater(len(parts), 3)
        self.assertTrue(parts[-1].done)
        self.assertTrue(self.ollama.generate(model=self.model, prompt="Once").response)
        self.assertTrue("".join(part.response for part in self.ollama.generate(model=self.model, prompt="Once", stream=True)))

    def test_ollama_embed_list_ps_show(self):
        self.assertEqual(len(self.ollama.embed(model=self.model, input=["a", "b"]).embeddings), 2)
        self.assertIn(self.model, [entry.model for entry in self.ollama.list().models])
        self.assertIsNotNone(self.ollama.ps().models)
        self.assertTrue(self.ollama.show(self.model).details.family)

    def test_ollama_typed_errors(self):
        with self.assertRaises(ollama.ResponseError) as caught:
            self.ollama.chat(model="no-such-model", messages=QUESTION)
        self.assertEqual(caught.exception.status_code, 404)


class RecordingBackend(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.recorder = Recorder()
        cls.addClassCleanup(cls.recorder.stop)
        keys = [{"name": "test", "key_sha256": hashlib.sha256(b"right").hexdigest(), "permissions": ["inference", "read"]}]
        cls.daemon = Daemon({
            "server": {"auth": {"enabled": True, "api_keys": keys}},
            "backends": [{"id": "recorder", "type": "openai", "hardware": "cpu", "endpoint": cls.recorder.url}]})
        cls.addClassCleanup(cls.daemon.stop)
        cls.daemon.until_ready()

    def client(self, key="right"):
        client = openai.OpenAI(base_url=self.daemon.url + "/v1", api_key=key, max_retries=0, timeout=20)
        self.addCleanup(client.close)
        return client

    def test_a_wrong_key_is_an_authentication_error(self):
        with self.assertRaises(openai.AuthenticationError) as caught:
            self.client("wrong").chat.completions.create(model=MODEL, messages=QUESTION)
        self.assertEqual(caught.exception.code, "invalid_api_key")

    def test_the_body_arrives_as_the_package_wrote_it(self):
        sent = []
        client = self.client()
        create = client.chat.completions.create
        client._client.event_hooks["request"].append(lambda request: sent.append(request.content))
        self.recorder.pieces, self.recorder.endless = [chunk("a", "stop"), DONE], False
        list(create(model=MODEL, messages=[{"role": "user", "content": "caf\u00e9 \U0001f600 \u2028"}], stream=True,
                    response_format={"type": "json_object"}, extra_body={"field_of_tomorrow": [None, 1.5]}))
        path, body = self.recorder.requests.get(timeout=5)
        self.assertEqual(path, "/v1/chat/completions")
        self.assertEqual(body, sent[0])
        self.assertEqual(json.loads(body)["field_of_tomorrow"], [None, 1.5])

    def test_closing_a_stream_closes_it_at_the_backend_within_100_ms(self):
        self.recorder.pieces, self.recorder.endless = [chunk("a"), chunk("b")], True
        times = []
        for _ in range(5):
            stream = self.client().chat.completions.create(model=MODEL, messages=QUESTION, stream=True)
            next(iter(stream))
            at = time.perf_counter()
            stream.close()
            times.append(self.recorder.closed.get(timeout=5) - at)
            self.recorder.requests.get(timeout=5)
        self.assertLess(sorted(times)[2], 0.1, times)


if __name__ == "__main__":
    unittest.main(verbosity=2)
