// The unmodified ollama client: the native API over simulated backends, and leaving over one that records.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Ollama } from 'ollama';
import { startDaemon, untilReady } from '../lib/daemon.mjs';
import { backendsOf, line, sendJson, sendPieces, startRecorder, within } from '../lib/recorder.mjs';

describe('ollama client with simulated backends', () => {
  let daemon, client, model;

  before(async () => {
    daemon = await startDaemon();
    await untilReady(daemon);
    client = new Ollama({ host: daemon.url });
    model = (await client.list()).models.map((entry) => entry.name).find((name) => !/embed|70b/.test(name));
  });
  after(() => daemon?.stop());

  const messages = [{ role: 'user', content: 'Why is the sky blue?' }];

  test('chat, whole', async () => {
    const reply = await client.chat({ model, messages });
    assert.equal(reply.done, true);
    assert.equal(reply.message.role, 'assistant');
    assert.ok(reply.message.content.length > 0);
    assert.ok(reply.eval_count > 0);
  });

  test('chat, streamed', async () => {
    const parts = [];
    for await (const part of await client.chat({ model, messages, stream: true })) parts.push(part);
    assert.ok(parts.length > 3, `${parts.length} parts`);
    assert.deepEqual(parts.map((part) => part.done), [...parts.slice(1).map(() => false), true]);
    assert.ok(parts.map((part) => part.message.content).join('').length > 0);
  });

  test('generate, whole and streamed', async () => {
    const reply = await client.generate({ model, prompt: 'Once upon a time' });
    assert.ok(reply.done && reply.response.length > 0);
    let text = '';
    for await (const part of await client.generate({ model, prompt: 'Once upon a time', stream: true })) text += part.response;
    assert.ok(text.length > 0);
  });

  test('embed of one text and of several, and the older embeddings', async () => {
    const one = await client.embed({ model, input: 'a cat' });
    assert.equal(one.embeddings.length, 1);
    const two = await client.embed({ model, input: ['a cat', 'a dog'] });
    assert.equal(two.embeddings.length, 2);
    assert.deepEqual(two.embeddings[0], one.embeddings[0]);
    assert.ok((await client.embeddings({ model, prompt: 'a cat' })).embedding.length > 8);
  });

  test('list names each model once', async () => {
    const names = (await client.list()).models.map((entry) => entry.name);
    assert.ok(names.length > 1);
    assert.equal(new Set(names).size, names.length);
  });

  test('ps lists what is loaded once something has run', async () => {
    await client.generate({ model, prompt: 'hello', stream: false });
    await within(5_000, (async () => {
      while (!(await client.ps()).models.some((entry) => entry.name === model)) await new Promise((resolve) => setTimeout(resolve, 50));
    })(), 'ps');
  });

  test('show tells of a model, and of an unknown one that it is unknown', async () => {
    assert.ok((await client.show({ model })).details.family);
    await assert.rejects(client.show({ model: 'no-such-model' }), (error) => error.name === 'ResponseError' && error.status_code === 404);
  });

  test('version is a version', async () => {
    assert.match((await client.version()).version, /^\d+\.\d+/);
  });

  test('an unknown model is a ResponseError with the status and a sentence', async () => {
    for (const stream of [false, true]) {
      await assert.rejects(client.chat({ model: 'no-such-model', messages, stream }), (error) => {
        assert.equal(error.name, 'ResponseError');
        assert.equal(error.status_code, 404);
        assert.match(error.message, /no-such-model/);
        return true;
      });
    }
  });

  test('abort ends a stream', async () => {
    const stream = await client.chat({ model, messages, stream: true });
    await assert.rejects(within(5_000, (async () => {
      for await (const _ of stream) stream.abort();
    })(), 'the abort'), { name: 'AbortError' });
  });
});

describe('ollama client with a recording backend', () => {
  let recorder, daemon, client;

  before(async () => {
    recorder = await startRecorder();
    daemon = await startDaemon({ config: { backends: backendsOf({ type: 'ollama', endpoint: recorder.url }) } });
    await untilReady(daemon);
    client = new Ollama({ host: daemon.url });
  });
  after(async () => {
    await daemon?.stop();
    await recorder?.stop();
  });

  const part = (content, done = false) => line({ model: 'tiny:latest', created_at: 'now', message: { role: 'assistant', content }, done });

  test('tools, format, options and keep_alive arrive', async () => {
    recorder.reply = (response) => sendPieces(response, [part('x', true)], { type: 'application/x-ndjson' });
    const request = {
      model: 'tiny:latest', messages: [{ role: 'user', content: 'caf\u00e9', images: ['QUJD'] }], stream: false, keep_alive: '5m', think: false,
      tools: [{ type: 'function', function: { name: 'f', description: 'd', parameters: { type: 'object', properties: {} } } }],
      format: { type: 'object' }, options: { temperature: 0.1, num_ctx: 4096, seed: 3 },
    };
    await client.chat(request);
    const seen = recorder.requests.at(-1);
    assert.equal(seen.url, '/api/chat');
    assert.deepEqual(seen.json, request);
  });

  test('abort mid-stream: the backend sees the close within 100 ms', async () => {
    recorder.reply = (response) => sendPieces(response, [part('a')], { type: 'application/x-ndjson', end: false });
    const times = [];
    for (let round = 0; round < 5; ++round) {
      const arrived = recorder.next();
      const stream = await client.chat({ model: 'tiny:latest', messages: [{ role: 'user', content: 'hi' }], stream: true });
      let at;
      await assert.rejects(async () => {
        for await (const _ of stream) {
          at = performance.now();
          stream.abort();
        }
      });
      times.push((await within(5_000, (await arrived).closed, 'the close')) - at);
    }
    times.sort((a, b) => a - b);
    assert.ok(times[2] < 100, `it took ${times.map((ms) => ms.toFixed(1)).join(', ')} ms`);
  });

  test('a break in mid-stream is an error line, not a short answer', async () => {
    recorder.reply = async (response) => {
      await sendPieces(response, [part('half')], { type: 'application/x-ndjson', end: false });
      setTimeout(() => response.socket.destroy(), 20);
    };
    await assert.rejects(within(5_000, (async () => {
      for await (const _ of await client.chat({ model: 'tiny:latest', messages: [{ role: 'user', content: 'hi' }], stream: true }));
    })(), 'the stream'));
  });

  test('pull streams its progress through, delete and copy reach the backend', async () => {
    recorder.reply = (response) => sendPieces(response,
      [line({ status: 'pulling manifest' }), line({ status: 'downloading', total: 10, completed: 5 }), line({ status: 'success' })],
      { type: 'application/x-ndjson' });
    const states = [];
    for await (const progress of await client.pull({ model: 'other:1b', stream: true })) states.push(progress.status);
    assert.deepEqual(states, ['pulling manifest', 'downloading', 'success']);
    assert.equal(recorder.requests.at(-1).url, '/api/pull');

    recorder.reply = (response) => response.writeHead(200).end();
    await client.delete({ model: 'tiny:latest' });
    assert.deepEqual([recorder.requests.at(-1).method, recorder.requests.at(-1).url], ['DELETE', '/api/delete']);
    await client.copy({ source: 'tiny:latest', destination: 'small:latest' });
    assert.deepEqual(recorder.requests.at(-1).json, { source: 'tiny:latest', destination: 'small:latest' });
  });

  test('an error of the backend keeps its status and words', async () => {
    recorder.reply = (response) => sendJson(response, { error: 'does not support tools' }, 400);
    await assert.rejects(client.chat({ model: 'tiny:latest', messages: [] }), (error) => {
      assert.equal(error.status_code, 400);
      assert.match(error.message, /does not support tools/);
      return true;
    });
  });
});
