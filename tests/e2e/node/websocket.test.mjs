// /v1/stream/ws with the unmodified `ws` package, and with the WebSocket that Node brings along.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import WebSocket from 'ws';
import { startDaemon, untilReady } from '../lib/daemon.mjs';
import { exampleOf } from '../lib/documents.mjs';
import { backendsOf, startRecorder } from '../lib/recorder.mjs';

/** The example of the documentation, which is that of the project's first README, letter for letter. */
const EXAMPLE = exampleOf(new URL('../../../docs/api/websocket.md', import.meta.url));

/** Runs the example, only its port changed, and gives what it printed up to the last message. */
function runExample(url, WebSocketClass) {
  const code = EXAMPLE.replace('localhost:8080', new URL(url).host);
  return new Promise((resolve, reject) => {
    const printed = [];
    class Watched extends WebSocketClass {
      constructor(...args) {
        super(...args);
        this.addEventListener('message', (event) => {
          if (!JSON.parse(event.data).done) return;
          setImmediate(() => resolve(printed));
          this.close();
        });
        this.addEventListener('error', (event) => reject(event.error ?? new Error('the socket failed')));
      }
    }
    new Function('WebSocket', 'console', code)(Watched, { log: (line) => printed.push(line) });
  });
}

/** Opens a socket and collects its messages. */
async function open(url, options) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/stream/ws`, options);
  const messages = [];
  const waiting = [];
  socket.on('message', (data) => {
    messages.push(JSON.parse(data));
    for (const wake of waiting.splice(0)) wake();
  });
  const closed = new Promise((resolve) => socket.once('close', (code) => resolve(code)));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return {
    socket,
    closed,
    send: (message) => socket.send(JSON.stringify(message)),
    /** All messages of one request once it is done. */
    async answer(id) {
      for (;;) {
        const mine = messages.filter((message) => message.request_id === id);
        if (mine.at(-1)?.done) return mine;
        await new Promise((resolve) => waiting.push(resolve));
      }
    },
  };
}

describe('the simulated backends', () => {
  let daemon;
  before(async () => {
    daemon = await startDaemon();
    await untilReady(daemon);
  });
  after(async () => daemon?.stop());

  test('the example of the README prints its tokens with ws', async () => {
    const printed = await runExample(daemon.url, WebSocket);
    assert.ok(printed.length > 2, printed.join('\n'));
    for (const line of printed) assert.match(line, /^Token: .*, TTFT: [\d.]+ms$/s);
    assert.match(printed.at(-1), /^Token: , /);
  });

  test('the example of the README prints its tokens with the WebSocket of Node, as in a browser', async (t) => {
    const source = `${runExample}\nconst EXAMPLE = ${JSON.stringify(EXAMPLE)};
      if (!globalThis.WebSocket) process.exit(77);
      runExample(${JSON.stringify(daemon.url)}, WebSocket).then((lines) => console.log(lines.join('\\n')));`;
    const flags = Number(process.versions.node.split('.')[0]) < 22 ? ['--experimental-websocket'] : [];
    const child = spawn(process.execPath, [...flags, '-e', source], { stdio: ['ignore', 'pipe', 'ignore'] });
    let printed = '';
    child.stdout.on('data', (data) => { printed += data; });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code === 77 || code === 9) return t.skip('this Node has no WebSocket of its own');
    assert.equal(code, 0);
    assert.match(printed, /^Token: .+, TTFT: [\d.]+ms/);
  });

  test('several requests on one socket, one of them cancelled', async () => {
    const client = await open(daemon.url);
    const model = 'qwen2.5:0.5b';
    client.send({ request_id: 'a', model, prompt: 'Why is the sky blue?' });
    client.send({ request_id: 'b', model, messages: [{ role: 'user', content: 'Why?' }] });
    client.send({ request_id: 'c', model, prompt: 'Tell a long story', options: { max_tokens: 100000 } });
    client.send({ type: 'cancel', request_id: 'c' });
    const [a, b, c] = await Promise.all([client.answer('a'), client.answer('b'), client.answer('c')]);
    for (const pieces of [a, b]) {
      assert.ok(pieces.length > 2);
      assert.equal(pieces.at(-1).error, undefined);
      assert.ok(pieces.at(-1).total_tokens > 0);
      assert.ok(pieces.at(-1).backend_id);
      assert.equal(new Set(pieces.map((piece) => piece.ttft_ms)).size, 1);
    }
    assert.equal(c.at(-1).code, 'cancelled');
    client.socket.close(1000);
    assert.equal(await client.closed, 1000);
  });

  test('a binary message is refused with 1003, a message over 1 MiB with 1009', async () => {
    const binary = await open(daemon.url);
    binary.socket.send(Buffer.from('{}'));
    assert.equal(await binary.closed, 1003);
    const large = await open(daemon.url);
    large.socket.send(' '.repeat(1024 * 1024 + 1));
    assert.equal(await large.closed, 1009);
  });

  test('ping is answered with its payload', async () => {
    const { socket } = await open(daemon.url);
    const pong = new Promise((resolve) => socket.once('pong', resolve));
    socket.ping('are you there?');
    assert.equal(String(await pong), 'are you there?');
    socket.close();
  });

  test('a page of a foreign origin gets no socket', async () => {
    await assert.rejects(open(daemon.url, { origin: 'https://evil.example' }), /403/);
    const { socket } = await open(daemon.url, { origin: 'http://localhost:5173' });
    socket.close();
  });
});

describe('permessage-deflate', () => {
  let daemon, recorder;
  const text = 'compress me '.repeat(2000);
  before(async () => {
    recorder = await startRecorder();
    recorder.reply = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n`);
      response.end('data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
    };
    daemon = await startDaemon({
      config: { websocket: { deflate: true }, backends: backendsOf({ endpoint: recorder.url, type: 'openai' }) },
    });
    await untilReady(daemon);
  });
  after(async () => {
    await daemon?.stop();
    await recorder?.stop();
  });

  test('is agreed to where it is switched on, in both directions', async () => {
    const client = await open(daemon.url, { perMessageDeflate: { threshold: 0 } });
    assert.match(client.socket.extensions, /permessage-deflate/);
    client.send({ request_id: 'r', model: 'tiny:latest', prompt: 'x'.repeat(5000) });
    const pieces = await client.answer('r');
    assert.equal(pieces.map((piece) => piece.token).join(''), text);
    client.socket.close();
  });
});
