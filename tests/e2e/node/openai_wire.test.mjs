// The openai SDK with a backend that records: nothing is changed on the way, leaving is seen at once, faults are typed.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import OpenAI from 'openai';
import { startDaemon, untilReady } from '../lib/daemon.mjs';
import {
  backendsOf, chatChunk, chatReply, DONE, event, sendJson, sendPieces, sendText, startRecorder, within,
} from '../lib/recorder.mjs';

const LEAVING_LIMIT_MS = 100;

for (const type of ['openai', 'ollama']) {
  describe(`openai SDK with a recording backend of type ${type}`, () => {
    let recorder, daemon, client, sent;

    before(async () => {
      recorder = await startRecorder();
      daemon = await startDaemon({ config: { backends: backendsOf({ type, endpoint: recorder.url }) } });
      await untilReady(daemon);
      client = new OpenAI({
        baseURL: `${daemon.url}/v1`, apiKey: 'secret-of-the-client', maxRetries: 0, timeout: 20_000,
        fetch: (url, init) => {
          sent = init.body;
          return fetch(url, init);
        },
      });
    });
    after(async () => {
      await daemon?.stop();
      await recorder?.stop();
    });
    beforeEach(() => {
      recorder.requests.length = 0;
      recorder.reply = (response) => sendJson(response, chatReply('hello'));
    });

    const question = (more) => ({ model: 'tiny:latest', messages: [{ role: 'user', content: 'hi' }], ...more });

    test('tools, response_format, images and unknown fields arrive byte for byte', async () => {
      await client.chat.completions.create(question({
        messages: [{
          role: 'user',
          content: [
            { type: 'text', text: 'caf\u00e9 \u{1f600} "quoted" \\ back\nline \u2028' },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(200_000)}` } },
          ],
        }],
        tools: [{ type: 'function', function: { name: 'f', strict: true, parameters: { type: 'object', properties: {} } } }],
        tool_choice: { type: 'function', function: { name: 'f' } },
        response_format: { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object', additionalProperties: false } } },
        logit_bias: { 50256: -100 }, seed: 12345678901234, temperature: 1e-7, top_logprobs: 3, logprobs: true,
        field_of_tomorrow: { nested: [null, true, 1.50] },
      }));
      assert.equal(recorder.requests.length, 1);
      const [seen] = recorder.requests;
      assert.equal(seen.method, 'POST');
      assert.equal(seen.url, '/v1/chat/completions');
      assert.equal(seen.body.toString(), sent);
      assert.equal(Number(seen.headers['content-length']), Buffer.byteLength(sent));
    });

    test('a reply comes back byte for byte, with its spacing and its unknown fields', async () => {
      const text = '{ "id":"x",\n\t"object": "chat.completion", "n": 1.0e3, "u": "\\u00e9\\/", "choices": [ ] ,"later":{"a":[1 ,2]}}\n';
      recorder.reply = (response) => sendText(response, text);
      const reply = await client.chat.completions.create(question()).asResponse();
      assert.equal(await reply.text(), text);
    });

    test('a stream comes back byte for byte, comments and odd events included', async () => {
      const pieces = [': hello\n\n', chatChunk('a'), 'event: note\r\ndata:{"choices":[],\ndata: "x":1}\r\n\r\n', chatChunk('b', 'stop'), DONE];
      recorder.reply = (response) => sendPieces(response, pieces);
      const reply = await client.chat.completions.create(question({ stream: true })).asResponse();
      assert.match(reply.headers.get('content-type'), /^text\/event-stream/);
      assert.equal(await reply.text(), pieces.join(''));
    });

    test('the missing [DONE] is added, one that is there is not doubled', async () => {
      for (const tail of [[], [DONE]]) {
        recorder.reply = (response) => sendPieces(response, [chatChunk('a', 'stop'), ...tail]);
        const text = await (await client.chat.completions.create(question({ stream: true })).asResponse()).text();
        assert.equal(text.split('[DONE]').length - 1, 1, text);
      }
    });

    test('the first piece reaches the client before the second leaves the backend', async () => {
      let release;
      const released = new Promise((resolve) => { release = resolve; });
      recorder.reply = (response) => sendPieces(response, [chatChunk('first'), () => released, chatChunk('second', 'stop'), DONE]);
      const stream = await client.chat.completions.create(question({ stream: true }));
      const words = [];
      await within(5_000, (async () => {
        for await (const chunk of stream) {
          words.push(chunk.choices[0].delta.content);
          release();
        }
      })(), 'the stream');
      assert.deepEqual(words, ['first', 'second']);
    });

    test('usage at the end of a stream passes through', async () => {
      const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
      recorder.reply = (response) => sendPieces(response, [
        chatChunk('a', 'stop'), event({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage }), DONE]);
      let last;
      for await (const chunk of await client.chat.completions.create(question({ stream: true, stream_options: { include_usage: true } }))) last = chunk;
      assert.deepEqual(last.usage, usage);
      assert.deepEqual(recorder.requests[0].json.stream_options, { include_usage: true });
    });

    test('completions and embeddings go to their own routes', async () => {
      recorder.reply = (response) => sendJson(response, { object: 'text_completion', choices: [{ text: 'x', index: 0, finish_reason: 'stop' }] });
      assert.equal((await client.completions.create({ model: 'tiny:latest', prompt: 'p' })).choices[0].text, 'x');
      recorder.reply = (response) => sendJson(response, { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [1, 2] }] });
      const reply = await client.embeddings.create({ model: 'tiny:latest', input: 'p', encoding_format: 'float' });
      assert.deepEqual(reply.data[0].embedding, [1, 2]);
      assert.deepEqual(recorder.requests.map((seen) => seen.url), ['/v1/completions', '/v1/embeddings']);
    });

    test('neither the client\'s key nor its routing headers go upstream; its request id does', async () => {
      await client.chat.completions.create(question(), { headers: { 'X-Request-ID': 'id-7', 'X-Priority': 'high', 'X-Target-Backend': 'backend-1' } });
      const { headers } = recorder.requests[0];
      assert.equal(headers.authorization, undefined);
      assert.equal(headers['x-priority'], undefined);
      assert.equal(headers['x-target-backend'], undefined);
      assert.equal(headers['x-request-id'], 'id-7');
    });

    // Each round: start a request, leave in the middle, and look at the backend's clock.
    const leavingTimes = async (leave) => {
      const times = [];
      for (let round = 0; round < 5; ++round) times.push(await leave());
      return times.sort((a, b) => a - b);
    };
    const assertQuick = (times) =>
      assert.ok(times[2] < LEAVING_LIMIT_MS, `the backend saw it after ${times.map((ms) => ms.toFixed(1)).join(', ')} ms`);

    test('abort mid-stream: the backend sees the close at once', async () => {
      recorder.reply = (response) => sendPieces(response, [chatChunk('a'), chatChunk('b')], { end: false });
      assertQuick(await leavingTimes(async () => {
        const arrived = recorder.next();
        const stream = await client.chat.completions.create(question({ stream: true }));
        let at;
        for await (const _ of stream) {
          at = performance.now();
          stream.controller.abort();
        }
        const seen = await arrived;
        return (await within(5_000, seen.closed, 'the close')) - at;
      }));
    });

    test('leaving the loop is an abort too', async () => {
      recorder.reply = (response) => sendPieces(response, [chatChunk('a'), chatChunk('b')], { end: false });
      const arrived = recorder.next();
      for await (const _ of await client.chat.completions.create(question({ stream: true }))) break;
      await within(5_000, (await arrived).closed, 'the close');
    });

    for (const stream of [true, false]) {
      test(`abort while waiting for ${stream ? 'the first piece' : 'a whole reply'}: the backend sees the close at once`, async () => {
        recorder.reply = () => {};
        assertQuick(await leavingTimes(async () => {
          const controller = new AbortController();
          const arrived = recorder.next();
          const reply = client.chat.completions.create(question({ stream }), { signal: controller.signal });
          const seen = await within(5_000, arrived, 'the request');
          const at = performance.now();
          controller.abort();
          await assert.rejects(reply, OpenAI.APIUserAbortError);
          return (await within(5_000, seen.closed, 'the close')) - at;
        }));
      });
    }

    test('aborts are no fault of the backend: it stays healthy and serves on', async () => {
      const { backends } = await (await fetch(`${daemon.url}/backends`)).json();
      assert.equal(backends[0].healthy, true);
      assert.equal((await client.chat.completions.create(question())).choices[0].message.content, 'hello');
    });

    test('the client\'s own mistakes come back as the backend put them', async () => {
      const body = { error: { message: 'context is too long', type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded' } };
      for (const [status, kind] of [[400, OpenAI.BadRequestError], [422, OpenAI.UnprocessableEntityError]]) {
        recorder.reply = (response) => sendJson(response, body, status);
        await assert.rejects(client.chat.completions.create(question()), (error) => {
          assert.ok(error instanceof kind, error.constructor.name);
          assert.deepEqual(error.error, body.error);
          return true;
        });
      }
    });

    test('a break in mid-stream is an error, not a short answer', async () => {
      recorder.reply = async (response) => {
        await sendPieces(response, [chatChunk('half of')], { end: false });
        setTimeout(() => response.socket.destroy(), 20);
      };
      const words = [];
      await assert.rejects(within(5_000, (async () => {
        for await (const chunk of await client.chat.completions.create(question({ stream: true }))) {
          words.push(chunk.choices[0].delta.content);
        }
      })(), 'the stream'), OpenAI.APIError);
      assert.deepEqual(words, ['half of']);
    });
  });
}

describe('openai SDK and faults of a backend', () => {
  const cases = [
    {
      name: 'a full backend is RateLimitError with its Retry-After',
      reply: (response) => sendJson(response, { error: { message: 'busy' } }, 429, { 'retry-after': '2' }),
      check: (error) => {
        assert.ok(error instanceof OpenAI.RateLimitError, error.constructor.name);
        assert.match(error.headers.get('retry-after'), /^[12]$/);
      },
    },
    {
      name: 'a 500 is InternalServerError with the backend\'s own words',
      reply: (response) => sendJson(response, { error: { message: 'the runner has died', type: 'server_error' } }, 500),
      check: (error) => {
        assert.equal(error.status, 500);
        assert.match(error.message, /the runner has died/);
      },
    },
    {
      name: 'a backend that hangs up is a 502',
      reply: (response) => response.socket.destroy(),
      check: (error) => {
        assert.equal(error.status, 502);
        assert.equal(error.code, 'bad_gateway');
        assert.equal(error.type, 'server_error');
      },
    },
    {
      name: 'a backend that does not answer in time is a 504',
      timeouts: { first_byte_ms: 200, whole_ms: 200 },
      reply: () => {},
      check: (error) => {
        assert.equal(error.status, 504);
        assert.equal(error.code, 'upstream_timeout');
      },
    },
  ];
  for (const { name, reply, check, timeouts } of cases) {
    test(name, async () => {
      const recorder = await startRecorder();
      recorder.reply = reply;
      const daemon = await startDaemon({ config: { backends: backendsOf({ endpoint: recorder.url, ...(timeouts && { timeouts }) }) } });
      try {
        await untilReady(daemon);
        const client = new OpenAI({ baseURL: `${daemon.url}/v1`, apiKey: 'unused', maxRetries: 0, timeout: 20_000 });
        await assert.rejects(client.chat.completions.create({ model: 'tiny:latest', messages: [{ role: 'user', content: 'hi' }] }), (error) => {
          assert.ok(error instanceof OpenAI.APIError);
          check(error);
          return true;
        });
      } finally {
        await daemon.stop();
        await recorder.stop();
      }
    });
  }

  test('a backend that is not there is a 503 within a moment, and works once it is there', async () => {
    const gone = await startRecorder();
    const port = Number(new URL(gone.url).port);
    await gone.stop();
    let recorder;
    const daemon = await startDaemon({ config: { backends: backendsOf({ endpoint: `http://127.0.0.1:${port}` }) } });
    try {
      const client = new OpenAI({ baseURL: `${daemon.url}/v1`, apiKey: 'unused', maxRetries: 0, timeout: 20_000 });
      const ask = () => client.chat.completions.create({ model: 'tiny:latest', messages: [{ role: 'user', content: 'hi' }] });
      await assert.rejects(ask(), (error) => {
        assert.equal(error.status, 503);
        assert.match(error.headers.get('retry-after'), /^\d+$/);
        return true;
      });
      assert.equal((await fetch(`${daemon.url}/readyz`)).status, 503);
      assert.equal((await fetch(`${daemon.url}/healthz`)).status, 200);
      recorder = await startRecorder({ port });
      recorder.reply = (response) => sendJson(response, chatReply('here I am'));
      assert.equal((await ask()).choices[0].message.content, 'here I am');
    } finally {
      await daemon.stop();
      await recorder?.stop();
    }
  });

  test('another backend takes over before the first byte', async () => {
    const [broken, good] = [await startRecorder(), await startRecorder()];
    broken.reply = (response) => response.socket.destroy();
    good.reply = (response) => sendPieces(response, [chatChunk('saved', 'stop'), DONE]);
    const backends = backendsOf(
      { endpoint: broken.url, hardware: 'nvidia' },
      { endpoint: good.url, hardware: 'cpu' });
    const daemon = await startDaemon({ config: { backends, efficiency: { default_mode: 'Performance' } } });
    try {
      await untilReady(daemon);
      const client = new OpenAI({ baseURL: `${daemon.url}/v1`, apiKey: 'unused', maxRetries: 0, timeout: 20_000 });
      const { data, response } = await client.chat.completions
        .create({ model: 'tiny:latest', messages: [{ role: 'user', content: 'hi' }], stream: true })
        .withResponse();
      const words = [];
      for await (const chunk of data) words.push(chunk.choices[0].delta.content);
      assert.deepEqual(words, ['saved']);
      assert.equal(response.headers.get('x-backend-used'), 'backend-2');
    } finally {
      await daemon.stop();
      await broken.stop();
      await good.stop();
    }
  });
});

describe('openai SDK while its request waits (stream.keepalive_ms)', () => {
  let recorder, daemon, client, text, headCame;

  before(async () => {
    recorder = await startRecorder();
    daemon = await startDaemon({ config: { backends: backendsOf({ endpoint: recorder.url }), stream: { keepalive_ms: 10 } } });
    await untilReady(daemon);
    client = new OpenAI({
      baseURL: `${daemon.url}/v1`, apiKey: 'unused', maxRetries: 0, timeout: 20_000,
      // what came, in passing: the SDK does not show comments
      fetch: async (url, init) => {
        const response = await fetch(url, init);
        headCame();
        const [mine, its] = response.body.tee();
        text = new Response(mine).text().catch(() => 'cut');
        return new Response(its, response);
      },
    });
  });
  after(async () => {
    await daemon?.stop();
    await recorder?.stop();
  });

  const ask = async () => {
    const words = [];
    const stream = await client.chat.completions
      .create({ model: 'tiny:latest', messages: [{ role: 'user', content: 'hi' }], stream: true });
    for await (const chunk of stream) words.push(chunk.choices[0].delta.content);
    return words;
  };
  // The head comes with the first comment: only then the backend goes on.
  const afterComments = (then) => {
    const commented = new Promise((resolve) => { headCame = resolve; });
    return async (response) => {
      await commented;
      await then(response);
    };
  };

  test('comments do not disturb it', async () => {
    recorder.reply = afterComments((response) => sendPieces(response, [chatChunk('late', 'stop'), DONE]));
    assert.deepEqual(await within(5_000, ask(), 'the stream'), ['late']);
    assert.match(await text, /^(: waiting\n\n)+data: /);
  });

  test('an error behind them is the SDK\'s error', async () => {
    recorder.reply = afterComments((response) => sendJson(response, { error: { message: 'too long for me', code: 'context_length' } }, 400));
    await assert.rejects(within(5_000, ask(), 'the stream'), (error) => {
      assert.ok(error instanceof OpenAI.APIError, String(error));
      assert.match(error.message, /too long for me/);
      return true;
    });
  });
});
