// API keys as the SDKs send them, and the typed exceptions of a refusal.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startDaemon, untilReady } from '../lib/daemon.mjs';
import { backendsOf, chatReply, sendJson, startRecorder } from '../lib/recorder.mjs';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

describe('API keys', () => {
  let recorder, daemon;

  before(async () => {
    recorder = await startRecorder();
    recorder.reply = (response) => sendJson(response, chatReply('hello'));
    daemon = await startDaemon({
      config: {
        server: {
          auth: {
            enabled: true,
            api_keys: [
              { name: 'all', key_sha256: sha256('key-for-all'), permissions: ['inference', 'read', 'admin'] },
              { name: 'talk', key_sha256: sha256('key-to-talk'), permissions: ['inference'] },
            ],
          },
        },
        backends: backendsOf({ endpoint: recorder.url }),
      },
    });
    await untilReady(daemon);
  });
  after(async () => {
    await daemon?.stop();
    await recorder?.stop();
  });

  const openai = (apiKey) => new OpenAI({ baseURL: `${daemon.url}/v1`, apiKey, maxRetries: 0, timeout: 20_000 });
  const question = { model: 'tiny:latest', messages: [{ role: 'user', content: 'hi' }] };

  test('the right key opens', async () => {
    assert.equal((await openai('key-for-all').chat.completions.create(question)).choices[0].message.content, 'hello');
    assert.equal((await openai('key-for-all').models.list()).data.length, 1);
  });

  test('a wrong key is AuthenticationError, and the backend hears nothing of it', async () => {
    const heard = recorder.requests.length;
    await assert.rejects(openai('wrong').chat.completions.create(question), (error) => {
      assert.ok(error instanceof OpenAI.AuthenticationError, error.constructor.name);
      assert.equal(error.code, 'invalid_api_key');
      assert.equal(error.type, 'authentication_error');
      assert.doesNotMatch(error.message, /wrong/);
      return true;
    });
    assert.equal(recorder.requests.length, heard);
  });

  test('a key without the permission is PermissionDeniedError', async () => {
    await openai('key-to-talk').chat.completions.create(question);
    await assert.rejects(openai('key-to-talk').models.list(), (error) => {
      assert.ok(error instanceof OpenAI.PermissionDeniedError, error.constructor.name);
      assert.equal(error.code, 'permission_denied');
      return true;
    });
  });

  test('no key is 401 in the dialect of the route; what watches a service stays open', async () => {
    const post = (path, body) => fetch(daemon.url + path, { method: 'POST', body: JSON.stringify(body) });
    const v1 = await post('/v1/chat/completions', question);
    assert.equal(v1.status, 401);
    assert.equal((await v1.json()).error.code, 'invalid_api_key');
    const native = await post('/api/chat', question);
    assert.equal(native.status, 401);
    assert.equal(typeof (await native.json()).error, 'string');
    for (const path of ['/', '/healthz', '/readyz']) assert.equal((await fetch(daemon.url + path)).status, 200, path);
    assert.equal((await fetch(`${daemon.url}/backends`)).status, 401);
  });

  test('Anthropic\'s x-api-key is a key as well, and its refusal is typed', async () => {
    const anthropic = (apiKey) => new Anthropic({ baseURL: daemon.url, apiKey, maxRetries: 0 });
    const message = { model: 'tiny:latest', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] };
    recorder.reply = (response) => sendJson(response, {
      id: 'm', type: 'message', role: 'assistant', model: 'tiny:latest', stop_reason: 'end_turn',
      content: [{ type: 'text', text: 'hello' }], usage: { input_tokens: 1, output_tokens: 1 },
    });
    assert.equal((await anthropic('key-for-all').messages.create(message)).content[0].text, 'hello');
    await assert.rejects(anthropic('wrong').messages.create(message), (error) => {
      assert.ok(error instanceof Anthropic.AuthenticationError, error.constructor.name);
      assert.equal(error.error.error.type, 'authentication_error');
      return true;
    });
  });
});
