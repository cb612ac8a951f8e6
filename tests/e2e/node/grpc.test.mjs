// gRPC as Node's own client speaks it: streaming, cancellation, deadlines, statuses, metadata.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import { startDaemon, untilReady } from '../lib/daemon.mjs';
import { backendsOf, startRecorder } from '../lib/recorder.mjs';

const proto = fileURLToPath(new URL('../../../proto/ollama_proxy.proto', import.meta.url));
const { OllamaProxy } = grpc.loadPackageDefinition(
  loader.loadSync(proto, { keepCase: true, defaults: true }),
).ollama_proxy;

const clientOf = (daemon) => new OllamaProxy(daemon.grpc, grpc.credentials.createInsecure());
const unary = (client, method, request, options = {}) => new Promise((resolve, reject) => {
  client[method](request, new grpc.Metadata(), options, (error, reply) => (error ? reject(error) : resolve(reply)));
});

describe('gRPC with simulated backends', () => {
  let daemon, client;

  before(async () => {
    daemon = await startDaemon();
    await untilReady(daemon);
    client = clientOf(daemon);
  });
  after(async () => {
    client?.close();
    await daemon?.stop();
  });

  const model = 'qwen2.5:0.5b';

  test('Generate says who answered and what it took', async () => {
    const reply = await unary(client, 'Generate', {
      prompt: 'Explain AI', model, options: { max_tokens: 5 }, annotations: { latency_critical: true },
    });
    assert.ok(reply.response.length > 0);
    assert.equal(reply.backend_used, 'demo-nvidia');
    assert.equal(reply.routing.reason, 'latency-critical');
    assert.ok(reply.stats.time_to_first_token_ms > 0);
    assert.ok(Number(reply.stats.tokens_generated) > 0);
  });

  test('a chat is streamed piece by piece', async () => {
    const pieces = [];
    const call = client.ChatCompletionStream({
      model, messages: [{ role: 'user', content: 'Hello' }], annotations: { target: 'npu' },
    });
    call.on('data', (piece) => pieces.push(piece));
    await once(call, 'end');
    assert.ok(pieces.length > 3);
    assert.ok(pieces.every((piece) => piece.backend_used === 'demo-npu'));
    assert.deepEqual(pieces.map((piece) => piece.done), [...pieces.slice(1).map(() => false), true]);
    assert.equal(pieces.at(-1).finish_reason, 'stop');
  });

  test('embeddings, models, backends, health and the mode', async () => {
    const { models } = await unary(client, 'ListModels', {});
    const embedder = models.find((entry) => entry.name.includes('embed'));
    const vectors = await unary(client, 'Embeddings', { model: embedder.name, inputs: ['one', 'two'] });
    assert.equal(vectors.embeddings.length, 2);
    assert.deepEqual(vectors.embedding, vectors.embeddings[0].values);
    assert.equal((await unary(client, 'ListBackends', {})).backends.length, 4);
    assert.equal((await unary(client, 'HealthCheck', {})).status, 'healthy');
    assert.equal((await unary(client, 'SetEfficiency', { mode: 'quiet' })).mode, 'Quiet');
    assert.equal((await unary(client, 'GetEfficiency', {})).mode, 'Quiet');
  });

  test('an unknown model is NOT_FOUND', async () => {
    await assert.rejects(unary(client, 'Generate', { prompt: 'hi', model: 'nobody-has-this' }), (error) => {
      assert.equal(error.code, grpc.status.NOT_FOUND);
      assert.match(error.details, /nobody-has-this/);
      return true;
    });
  });
});

describe('gRPC and a backend that takes its time', () => {
  let daemon, client, recorder;
  const limit = { signal: AbortSignal.timeout(20_000) };

  before(async () => {
    recorder = await startRecorder();
    daemon = await startDaemon({
      config: { server: { grpc_port: 0 }, backends: backendsOf({ endpoint: recorder.url }) },
    });
    await untilReady(daemon);
    client = clientOf(daemon);
  });
  after(async () => {
    client?.close();
    await daemon?.stop();
    await recorder?.stop();
  });

  /** Answers with one piece and then nothing; resolves when the proxy closes. */
  const oneThenSilence = () => new Promise((resolve) => {
    recorder.reply = (response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n');
      response.on('close', resolve);
    };
  });

  test('cancel() stops the backend', async () => {
    const closed = oneThenSilence();
    const call = client.GenerateStream({ prompt: 'hi', model: 'tiny:latest' });
    const ended = new Promise((resolve) => call.on('error', resolve));
    const [piece] = await once(call, 'data', limit);
    assert.equal(piece.token, 'one');
    const before = performance.now();
    call.cancel();
    await closed;
    assert.ok(performance.now() - before < 100, 'the backend went on');
    assert.equal((await ended).code, grpc.status.CANCELLED);
  });

  test('a deadline stops the backend', async () => {
    const closed = oneThenSilence();
    await assert.rejects(
      unary(client, 'Generate', { prompt: 'hi', model: 'tiny:latest' }, { deadline: Date.now() + 200 }),
      (error) => error.code === grpc.status.DEADLINE_EXCEEDED,
    );
    await closed;
  });
});
