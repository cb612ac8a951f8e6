"""The openai package of Python against a real engine: chat, stream, embed, abort.  session.py BASE_URL"""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="unused", max_retries=0, timeout=30)
messages = [{"role": "user", "content": "hello"}]

reply = client.chat.completions.create(model="tiny", messages=messages, max_tokens=30, seed=1)
assert reply.choices[0].message.content
print("chat:", reply.choices[0].message.content)

chunks = list(client.chat.completions.create(model="tiny", messages=messages, max_tokens=30, seed=1, stream=True,
                                             stream_options={"include_usage": True}))
assert chunks[-1].usage.completion_tokens > 0
print("streamed:", "".join(c.choices[0].delta.content or "" for c in chunks if c.choices))

vectors = client.embeddings.create(model="tiny", input=["the cat", "a dog"]).data
assert len(vectors) == 2 and vectors[0].embedding != vectors[1].embedding
print("embeddings:", len(vectors), "vectors of", len(vectors[0].embedding), "numbers")

stream = client.chat.completions.create(model="tiny", messages=messages, max_tokens=1_000_000, stream=True,
                                        extra_body={"ignore_eos": True})
for number, _ in enumerate(stream):
    if number == 20:
        stream.close()
        break
print("aborted after 20 pieces; the next request:",
      client.chat.completions.create(model="tiny", messages=messages, max_tokens=5).choices[0].message.content)

try:
    client.chat.completions.create(model="gpt-4", messages=messages)
    sys.exit("an unknown model was served")
except openai.NotFoundError as error:
    print("unknown model:", type(error).__name__, error.code)
