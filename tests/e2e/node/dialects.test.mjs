// /v1/messages through @anthropic-ai/sdk and /v1/responses through openai: passed to a backend that has them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startDaemon, untilReady } from '../lib/daemon.mjs';
import { backendsOf, sendJson, sendPieces, startRecorder, within } from '../lib/recorder.mjs';

const named = (type, more = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
const message = {
  id: 'msg_1', type: 'message', role: 'assistant', model: 'tiny:latest', content: [], stop_reason: null, stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 0 },
};
const opening = [
  named('message_start', { message }),
  named('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  named('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'hello' } }),
];
const closing = [
  named('content_block_stop', { index: 0 }),
  named('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 1 } }),
  named('message_stop'),
];
const question = { model: 'tiny:latest', max_tokens: 20, messages: [{ role: 'user', content: 'hi' }] };

describe('Anthropic SDK', () => {
  let recorder, daemon, client, sent;

  before(async () => {
    recorder = await startRecorder();
    daemon = await startDaemon({ config: { backends: backendsOf({ endpoint: recorder.url }) } });
    await untilReady(daemon);
    client = new Anthropic({
      baseURL: daemon.url, apiKey: 'unused', maxRetries: 0, timeout: 20_000,
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

  test('a message, whole: body and reply unchanged', async () => {
    const reply = { ...message, content: [{ type: 'text', text: 'hello' }], stop_reason: 'end_turn' };
    recorder.reply = (response) => sendJson(response, reply);
    const got = await client.messages.create({ ...question, system: [{ type: 'text', text: 's', cache_control: { type: 'ephemeral' } }] });
    assert.equal(got.content[0].text, 'hello');
    assert.equal(recorder.requests.at(-1).url, '/v1/messages');
    assert.equal(recorder.requests.at(-1).body.toString(), sent);
  });

  test('a message, streamed: no [DONE] is added to a dialect that has none', async () => {
    recorder.reply = (response) => sendPieces(response, [...opening, ...closing]);
    const final = await client.messages.stream(question).finalMessage();
    assert.equal(final.content[0].text, 'hello');
    assert.equal(final.stop_reason, 'end_turn');
    const raw = await client.messages.create({ ...question, stream: true }).asResponse();
    assert.equal(await raw.text(), [...opening, ...closing].join(''));
  });

  test('count_tokens', async () => {
    recorder.reply = (response) => sendJson(response, { input_tokens: 12 });
    const { max_tokens: _, ...countable } = question;
    assert.equal((await client.messages.countTokens(countable)).input_tokens, 12);
    assert.equal(recorder.requests.at(-1).url, '/v1/messages/count_tokens');
  });

  test('a stream that breaks ends in an error event', async () => {
    recorder.reply = async (response) => {
      await sendPieces(response, opening, { end: false });
      setTimeout(() => response.socket.destroy(), 20);
    };
    await assert.rejects(within(5_000, client.messages.stream(question).finalMessage(), 'the stream'), Anthropic.APIError);
  });

  test('errors are typed in its own dialect', async () => {
    await assert.rejects(client.messages.create({ ...question, model: 'no-such-model' }), (error) => {
      assert.ok(error instanceof Anthropic.NotFoundError, error.constructor.name);
      assert.equal(error.error.type, 'error');
      assert.equal(error.error.error.type, 'not_found_error');
      return true;
    });
    await assert.rejects(client.messages.create({ model: 'tiny:latest', max_tokens: 1 }), (error) => {
      assert.ok(error instanceof Anthropic.BadRequestError, error.constructor.name);
      assert.equal(error.error.error.type, 'invalid_request_error');
      return true;
    });
  });

  test('abort mid-stream: the backend sees the close', async () => {
    recorder.reply = (response) => sendPieces(response, opening, { end: false });
    const arrived = recorder.next();
    const stream = await client.messages.create({ ...question, stream: true });
    let at;
    for await (const _ of stream) {
      at ??= performance.now();
      stream.controller.abort();
    }
    const took = (await within(5_000, (await arrived).closed, 'the close')) - at;
    assert.ok(took < 1_000, `${took} ms`);
  });
});

describe('responses of the openai SDK', () => {
  test('are passed to a backend that has them; 501 once none has', async () => {
    const recorder = await startRecorder();
    const daemon = await startDaemon({ config: { backends: backendsOf({ endpoint: recorder.url }) } });
    try {
      await untilReady(daemon);
      const client = new OpenAI({ baseURL: `${daemon.url}/v1`, apiKey: 'unused', maxRetries: 0, timeout: 20_000 });
      recorder.reply = (response) => sendJson(response, {
        id: 'resp_1', object: 'response', created_at: 1, status: 'completed', model: 'tiny:latest',
        output: [{ id: 'm', type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'hello', annotations: [] }] }],
      });
      assert.equal((await client.responses.create({ model: 'tiny:latest', input: 'hi' })).output_text, 'hello');
      assert.equal(recorder.requests.at(-1).url, '/v1/responses');

      const response = { id: 'resp_1', object: 'response', created_at: 1, status: 'in_progress', model: 'tiny:latest', output: [] };
      const pieces = [
        named('response.created', { response, sequence_number: 0 }),
        named('response.output_text.delta', { item_id: 'm', output_index: 0, content_index: 0, delta: 'hello', sequence_number: 1 }),
        named('response.completed', { response: { ...response, status: 'completed' }, sequence_number: 2 }),
      ];
      recorder.reply = (reply) => sendPieces(reply, pieces);
      const types = [];
      for await (const item of await client.responses.create({ model: 'tiny:latest', input: 'hi', stream: true })) types.push(item.type);
      assert.deepEqual(types, ['response.created', 'response.output_text.delta', 'response.completed']);
    } finally {
      await daemon.stop();
      await recorder.stop();
    }
  });

  test('no backend has the route: 501, said clearly', async () => {
    const recorder = await startRecorder();
    recorder.reply = (response) => response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found');
    const daemon = await startDaemon({ config: { backends: backendsOf({ type: 'ollama', endpoint: recorder.url }) } });
    try {
      await untilReady(daemon);
      const client = new OpenAI({ baseURL: `${daemon.url}/v1`, apiKey: 'unused', maxRetries: 0, timeout: 20_000 });
      for (let round = 0; round < 2; ++round) {
        await assert.rejects(client.responses.create({ model: 'tiny:latest', input: 'hi' }), (error) => {
          assert.equal(error.status, 501);
          assert.equal(error.code, 'not_supported');
          return true;
        });
      }
      assert.equal(recorder.requests.length, 1, 'what was learnt is not asked again');
    } finally {
      await daemon.stop();
      await recorder.stop();
    }
  });
});
