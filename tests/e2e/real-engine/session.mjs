// Two real engines behind the daemon, and unmodified SDKs in front of it. Prints what happens, fails where it is wrong.
//   node session.mjs LLAMA_SERVER MODEL.gguf PYTHON
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startDaemon, untilReady } from '../lib/daemon.mjs';
import { freePort, startServer, until } from '../lib/processes.mjs';

const [server, model, python] = process.argv.slice(2);
const ask = (content, more) => ({ model: 'tiny', messages: [{ role: 'user', content }], seed: 1, ...more });
// A bigram model ends a sentence soon: this one goes on until somebody stops it.
const endless = (more) => ask('hello', { stream: true, max_tokens: 1_000_000, ignore_eos: true, ...more });

const say = (text = '') => console.log(text);
const shorten = (text) => (text.length > 110 ? `${text.slice(0, 107)}...` : text).replaceAll('\n', ' ').trim();
let number = 0;
async function step(title, body) {
  say(`\n${++number}. ${title}`);
  await body();
}
const result = (text) => say(`   ${shorten(text)}`);

async function startEngine() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const engine = await startServer(server, [
    '--model', model, '--alias', 'tiny', '--host', '127.0.0.1', '--port', String(port), '--offline', '--no-ui', '--embeddings',
    '--pooling', 'mean', '--parallel', '4', '--ctx-size', '16384', '--threads', '1', '--context-shift',
  ], `${url}/health`);
  const slots = async () => (await (await fetch(`${url}/slots`)).json());
  return { url, kill: engine.kill, busy: async () => (await slots()).some((slot) => slot.is_processing) };
}

const started = [];
try {
  const engines = [];
  for (const id of ['engine-a', 'engine-b']) {
    const engine = await startEngine();
    started.push(engine);
    engines.push({ id, ...engine });
    say(`${id}: llama.cpp's server on ${engine.url}`);
  }
  const [first, second] = engines;
  const daemon = await startDaemon({
    config: {
      backends: [
        { id: first.id, type: 'openai', hardware: 'nvidia', endpoint: first.url },
        { id: second.id, type: 'openai', hardware: 'cpu', endpoint: second.url },
      ],
      efficiency: { default_mode: 'Performance' },
    },
  });
  started.push({ kill: () => daemon.stop() });
  await untilReady(daemon);
  say(`ollama-proxy: ${daemon.url}, both as backends of type openai; Performance prefers engine-a`);

  const openai = new OpenAI({ baseURL: `${daemon.url}/v1`, apiKey: 'unused', maxRetries: 0, timeout: 30_000 });
  const anthropic = new Anthropic({ baseURL: daemon.url, apiKey: 'unused', maxRetries: 0, timeout: 30_000 });
  const say_used = (response) => result(`X-Backend-Used: ${response.headers.get('x-backend-used')}, X-Routing-Reason: ${response.headers.get('x-routing-reason')}`);

  await step('openai SDK (Node.js): models', async () => {
    const names = (await openai.models.list()).data.map((entry) => entry.id);
    assert.deepEqual(names, ['tiny']);
    assert.equal((await openai.models.retrieve('tiny')).id, 'tiny');
    result(`${names.join(', ')} (listed once, though both engines have it)`);
  });

  await step('chat, whole', async () => {
    const { data, response } = await openai.chat.completions.create(ask('hello', { max_tokens: 40 })).withResponse();
    assert.ok(data.choices[0].message.content.length > 0);
    assert.equal(response.headers.get('x-backend-used'), first.id);
    result(data.choices[0].message.content);
    result(`${data.usage.completion_tokens} tokens, finish_reason ${data.choices[0].finish_reason}`);
    say_used(response);
  });

  await step('chat, streamed, with include_usage', async () => {
    let text = '', pieces = 0, usage;
    for await (const chunk of await openai.chat.completions.create(ask('hello', { max_tokens: 40, stream: true, stream_options: { include_usage: true } }))) {
      text += chunk.choices[0]?.delta?.content ?? '';
      pieces += chunk.choices[0]?.delta?.content ? 1 : 0;
      usage = chunk.usage ?? usage;
    }
    assert.ok(pieces > 1);
    assert.ok(usage.completion_tokens >= pieces);
    result(text);
    result(`${pieces} pieces, ${usage.completion_tokens} tokens`);
  });

  await step('the same seed gives the same text through the proxy as from the engine itself', async () => {
    const direct = new OpenAI({ baseURL: `${first.url}/v1`, apiKey: 'unused' });
    const request = ask('hello', { max_tokens: 30, seed: 99, temperature: 1 });
    const [there, here] = [await direct.chat.completions.create(request), await openai.chat.completions.create(request)];
    assert.equal(here.choices[0].message.content, there.choices[0].message.content);
    result(here.choices[0].message.content);
  });

  await step('a field that only the engine knows (a grammar) is obeyed, so it arrived', async () => {
    const reply = await openai.chat.completions.create(ask('hello', { max_tokens: 30, grammar: 'root ::= "{" [0-9]+ "}"' }));
    assert.match(reply.choices[0].message.content, /^\{\d+\}$/);
    result(reply.choices[0].message.content);
  });

  await step('completions', async () => {
    const reply = await openai.completions.create({ model: 'tiny', prompt: 'the cat', max_tokens: 12, seed: 1 });
    assert.ok(reply.choices[0].text.length > 0);
    result(reply.choices[0].text);
  });

  await step('embeddings', async () => {
    const reply = await openai.embeddings.create({ model: 'tiny', input: ['the cat', 'a dog'] });
    assert.equal(reply.data.length, 2);
    assert.notDeepEqual(reply.data[0].embedding, reply.data[1].embedding);
    result(`${reply.data.length} vectors of ${reply.data[0].embedding.length} numbers`);
  });

  await step('responses, whole and streamed', async () => {
    const reply = await openai.responses.create({ model: 'tiny', input: 'hello', max_output_tokens: 30 });
    assert.ok(reply.output_text.length > 0);
    result(reply.output_text);
    const types = new Set();
    for await (const event of await openai.responses.create({ model: 'tiny', input: 'hello', max_output_tokens: 30, stream: true })) types.add(event.type);
    assert.ok(types.has('response.completed'));
    result([...types].join(' '));
  });

  await step('messages through @anthropic-ai/sdk, whole, streamed, counted', async () => {
    const request = { model: 'tiny', max_tokens: 30, messages: [{ role: 'user', content: 'hello' }] };
    const reply = await anthropic.messages.create(request);
    assert.equal(reply.content[0].type, 'text');
    result(reply.content[0].text);
    const final = await anthropic.messages.stream(request).finalMessage();
    assert.ok(final.content[0].text.length > 0);
    result(`streamed: ${final.content[0].text}, stop_reason ${final.stop_reason}`);
    const { input_tokens } = await anthropic.messages.countTokens({ model: request.model, messages: request.messages });
    assert.ok(input_tokens > 0);
    result(`count_tokens: ${input_tokens}`);
  });

  await step('an unknown model and a bad request are typed exceptions', async () => {
    await assert.rejects(openai.chat.completions.create({ ...ask('hello'), model: 'gpt-4' }), (error) => {
      result(`${error.constructor.name}: ${error.message}`);
      return error instanceof OpenAI.NotFoundError;
    });
    await assert.rejects(openai.chat.completions.create({ model: 'tiny' }), (error) => {
      result(`${error.constructor.name}: ${error.message}`);
      return error instanceof OpenAI.BadRequestError;
    });
  });

  await step('abort in mid-stream stops the engine', async () => {
    const stream = await openai.chat.completions.create(endless());
    let pieces = 0, at;
    for await (const _ of stream) {
      if (++pieces === 20) {
        assert.ok(await first.busy());
        at = performance.now();
        stream.controller.abort();
      }
    }
    await until(async () => !(await first.busy()), 2_000, 'engine-a idle');
    result(`after ${pieces} pieces; engine-a stopped computing ${(performance.now() - at).toFixed(0)} ms after the abort`);
  });

  await step('eight streams at once over both engines', async () => {
    const texts = await Promise.all([...Array(8).keys()].map(async (index) => {
      const { data, response } = await openai.chat.completions.create(ask('hello', { stream: true, max_tokens: 200, ignore_eos: true, seed: index })).withResponse();
      let pieces = 0;
      for await (const chunk of data) pieces += chunk.choices[0]?.delta?.content ? 1 : 0;
      return { pieces, used: response.headers.get('x-backend-used') };
    }));
    for (const { pieces } of texts) assert.ok(pieces > 150, `${pieces} pieces`);
    result(texts.map(({ pieces, used }) => `${used}: ${pieces}`).join(', '));
  });

  if (python) {
    await step('openai package of Python', async () => {
      const run = spawnSync(python, [fileURLToPath(new URL('session.py', import.meta.url)), `${daemon.url}/v1`], { encoding: 'utf8', timeout: 60_000 });
      run.stdout.trim().split('\n').forEach(result);
      assert.equal(run.status, 0, run.stderr);
    });
  } else {
    say('\n-- openai package of Python: skipped, it cannot be installed here');
  }

  await step('kill -9 of engine-a in mid-stream: that stream ends in an error, never as if it were complete', async () => {
    let pieces = 0;
    await assert.rejects(async () => {
      for await (const _ of await openai.chat.completions.create(endless())) if (++pieces === 20) await first.kill('SIGKILL');
    }, (error) => {
      result(`after ${pieces} pieces, ${error.constructor.name}: ${error.message}`);
      return error instanceof OpenAI.APIError;
    });
  });

  await step('the next request is served by engine-b, and nobody had to ask twice', async () => {
    for (const stream of [false, true]) {
      const { data, response } = await openai.chat.completions.create(ask('hello', { max_tokens: 20, stream })).withResponse();
      assert.equal(response.headers.get('x-backend-used'), second.id);
      if (stream) for await (const _ of data);
      else result(data.choices[0].message.content);
      say_used(response);
    }
    const { backends } = await (await fetch(`${daemon.url}/backends`)).json();
    result(backends.map(({ id, healthy, reason }) => `${id}: ${healthy ? 'healthy' : `not healthy (${reason})`}`).join(', '));
  });

  await step('engine-b gone too: a plain 503', async () => {
    await second.kill('SIGKILL');
    await assert.rejects(openai.chat.completions.create(ask('hello')), (error) => {
      result(`${error.constructor.name}: ${error.message}`);
      return error.status === 503 && /^\d+$/.test(error.headers.get('retry-after'));
    });
  });
  say(`\n${number} steps, all as they should be`);
} finally {
  for (const process of started.reverse()) await process.kill().catch((error) => { console.error(error); globalThis.process.exitCode = 1; });
}
