// The unmodified openai SDK against the daemon and its simulated backends: what a first-time user does.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { startDaemon, untilReady } from '../lib/daemon.mjs';

describe('openai SDK with simulated backends', () => {
  let daemon, client, model, backends;

  before(async () => {
    daemon = await startDaemon();
    await untilReady(daemon);
    backends = (await (await fetch(`${daemon.url}/backends`)).json()).backends;
    client = new OpenAI({ baseURL: `${daemon.url}/v1`, apiKey: 'unused', maxRetries: 0, timeout: 20_000 });
    model = (await client.models.list()).data.map((entry) => entry.id).find((id) => !/embed|70b/.test(id));
  });
  after(() => daemon?.stop());

  const question = (more) => ({ model, messages: [{ role: 'user', content: 'Why is the sky blue?' }], ...more });

  test('chat, whole', async () => {
    const reply = await client.chat.completions.create(question());
    assert.equal(reply.object, 'chat.completion');
    assert.equal(reply.choices[0].finish_reason, 'stop');
    assert.ok(reply.choices[0].message.content.length > 0);
    assert.equal(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens);
  });

  test('chat, streamed, says the same as the whole reply in several pieces', async () => {
    const whole = await client.chat.completions.create(question({ seed: 7 }));
    const pieces = [];
    let finish;
    for await (const chunk of await client.chat.completions.create(question({ seed: 7, stream: true }))) {
      const choice = chunk.choices[0];
      if (choice?.delta?.content) pieces.push(choice.delta.content);
      finish = choice?.finish_reason ?? finish;
    }
    assert.ok(pieces.length > 3, `${pieces.length} pieces`);
    assert.equal(finish, 'stop');
    assert.equal(pieces.join(''), whole.choices[0].message.content);
  });

  test('the first piece comes long before the last', async () => {
    const times = [];
    for await (const chunk of await client.chat.completions.create(question({ stream: true }))) {
      if (chunk.choices[0]?.delta?.content) times.push(performance.now());
    }
    const spread = times.at(-1) - times[0];
    assert.ok(spread > 50, `all ${times.length} pieces came within ${spread} ms: they were held back`);
  });

  test('include_usage adds one last chunk with the counts', async () => {
    const chunks = [];
    const stream = await client.chat.completions.create(question({ stream: true, stream_options: { include_usage: true } }));
    for await (const chunk of stream) chunks.push(chunk);
    const last = chunks.at(-1);
    assert.deepEqual(last.choices, []);
    assert.ok(last.usage.completion_tokens > 0);
    assert.equal(chunks.filter((chunk) => chunk.usage).length, 1);
  });

  test('the SDK\'s stream helper assembles the message', async () => {
    const final = await client.chat.completions.stream(question()).finalChatCompletion();
    assert.ok(final.choices[0].message.content.length > 0);
  });

  test('max_tokens cuts the answer with finish_reason length', async () => {
    const reply = await client.chat.completions.create(question({ max_tokens: 2 }));
    assert.equal(reply.choices[0].finish_reason, 'length');
    assert.equal(reply.usage.completion_tokens, 2);
  });

  test('tool calls come back whole and streamed', async () => {
    const tools = [{
      type: 'function',
      function: {
        name: 'get_weather', description: 'Weather of a city',
        parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      },
    }];
    const weather = { model, messages: [{ role: 'user', content: 'What is the weather in Cork?' }], tools, tool_choice: 'required' };
    const whole = await client.chat.completions.create(weather);
    assert.equal(whole.choices[0].finish_reason, 'tool_calls');
    assert.equal(whole.choices[0].message.tool_calls[0].function.name, 'get_weather');
    JSON.parse(whole.choices[0].message.tool_calls[0].function.arguments);
    const streamed = await client.chat.completions.stream(weather).finalChatCompletion();
    assert.equal(streamed.choices[0].message.tool_calls[0].function.name, 'get_weather');
  });

  test('completions, whole and streamed', async () => {
    const whole = await client.completions.create({ model, prompt: 'Once upon a time' });
    assert.equal(whole.object, 'text_completion');
    assert.ok(whole.choices[0].text.length > 0);
    let text = '';
    for await (const chunk of await client.completions.create({ model, prompt: 'Once upon a time', stream: true })) {
      text += chunk.choices[0]?.text ?? '';
    }
    assert.ok(text.length > 0);
  });

  test('embeddings of one text and of several, as floats and as base64', async () => {
    const one = await client.embeddings.create({ model, input: 'a cat', encoding_format: 'float' });
    assert.ok(one.data[0].embedding.length > 8);
    const many = await client.embeddings.create({ model, input: ['a cat', 'a dog'] }); // the SDK asks for base64 here
    assert.equal(many.data.length, 2);
    assert.equal(many.data[0].embedding.length, one.data[0].embedding.length);
    assert.notDeepEqual(many.data[0].embedding, many.data[1].embedding);
  });

  test('models: each once, and each can be retrieved by the name that the list gives', async () => {
    const names = (await client.models.list()).data.map((entry) => entry.id);
    assert.ok(names.length > 1);
    assert.equal(new Set(names).size, names.length);
    for (const name of names) {
      const entry = await client.models.retrieve(name);
      assert.equal(entry.id, name);
      assert.equal(entry.object, 'model');
    }
  });

  test('replies say how they were routed', async () => {
    for (const stream of [false, true]) {
      const { response, data } = await client.chat.completions.create(question({ stream })).withResponse();
      if (stream) for await (const _ of data);
      const header = (name) => response.headers.get(name);
      assert.ok(backends.some(({ id }) => id === header('x-backend-used')), header('x-backend-used'));
      assert.ok(header('x-routing-reason'));
      assert.match(header('x-request-id'), /^[\x21-\x7e]+$/);
      assert.ok(header('x-alternatives').split(',').length >= 1);
      assert.ok(Number(header('x-estimated-latency-ms')) > 0);
      assert.ok(Number(header('x-estimated-power-w')) > 0);
      assert.ok(Number(header('x-queue-depth')) >= 0);
      assert.ok(Number(header('x-queue-wait-ms')) >= 0);
      assert.ok(header('x-efficiency-mode'));
    }
  });

  test('routing headers steer the request, and the request id is the client\'s', async () => {
    const { id } = backends.find(({ hardware }) => hardware === 'cpu');
    const { response } = await client.chat.completions
      .create(question({ max_tokens: 2 }), { headers: { 'X-Target-Backend': id, 'X-Request-ID': 'e2e-42' } })
      .withResponse();
    assert.equal(response.headers.get('x-backend-used'), id);
    assert.equal(response.headers.get('x-routing-reason'), 'explicit-target');
    assert.equal(response.headers.get('x-request-id'), 'e2e-42');
  });

  test('an unknown model is NotFoundError', async () => {
    await assert.rejects(client.chat.completions.create(question({ model: 'no-such-model' })), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError, error.constructor.name);
      assert.equal(error.code, 'model_not_found');
      assert.equal(error.type, 'invalid_request_error');
      assert.match(error.message, /no-such-model/);
      return true;
    });
    await assert.rejects(client.models.retrieve('no-such-model'), OpenAI.NotFoundError);
  });

  test('a request without messages, a wrong type and a bad routing header are BadRequestError', async () => {
    const bad = (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError, `${error.constructor.name}: ${error.message}`);
      assert.equal(error.type, 'invalid_request_error');
      return true;
    };
    await assert.rejects(client.chat.completions.create({ model }), bad);
    await assert.rejects(client.chat.completions.create(question({ stream: 'yes' })), bad);
    await assert.rejects(client.embeddings.create({ model }), bad);
    await assert.rejects(client.chat.completions.create(question(), { headers: { 'X-Priority': 'urgent' } }), (error) => {
      assert.equal(error.param?.toLowerCase(), 'x-priority');
      return bad(error);
    });
    await assert.rejects(client.chat.completions.create(question(), { headers: { 'X-Target-Backend': 'nowhere' } }), (error) => {
      assert.equal(error.code, 'backend_not_found');
      for (const { id } of backends) assert.ok(error.message.includes(id), error.message);
      return bad(error);
    });
  });

  test('a power limit that nobody meets is a 503 that names every backend', async () => {
    await assert.rejects(client.chat.completions.create(question(), { headers: { 'X-Max-Power-Watts': '1' } }), (error) => {
      assert.ok(error instanceof OpenAI.InternalServerError);
      assert.equal(error.status, 503);
      assert.equal(error.code, 'no_available_backends');
      assert.match(error.headers.get('retry-after'), /^\d+$/);
      for (const { id } of backends) assert.ok(error.message.includes(id), error.message);
      return true;
    });
  });
});
