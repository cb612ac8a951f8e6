// A backend that writes down what it is sent, byte for byte, and answers what the test tells it to.
import { createServer } from 'node:http';
import { once } from 'node:events';

/** One request as the backend saw it. */
class Seen {
  constructor(request, body) {
    this.method = request.method;
    this.url = request.url;
    this.headers = request.headers;
    this.body = body;
  }

  get json() {
    return JSON.parse(this.body.toString());
  }
}

/**
 * Starts a backend that speaks just enough of Ollama and of OpenAI to be in the catalog with `models`; every other
 * request is kept in `requests` and answered by `reply(response, seen)`, which a test sets.
 */
export async function startRecorder({ models = ['tiny:latest'], port = 0 } = {}) {
  const recorder = {
    requests: [],
    reply: (response) => response.writeHead(500).end(),
    /** The next request that is recorded. */
    next: () => new Promise((resolve) => waiting.push(resolve)),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  const waiting = [];
  const catalog = {
    '/api/version': { version: '0.5.0' },
    '/api/tags': { models: models.map((name) => ({ name, model: name, size: 1000, modified_at: '2025-01-01T00:00:00Z', digest: 'd', details: {} })) },
    '/api/ps': { models: [] },
    '/v1/models': { object: 'list', data: models.map((id) => ({ id, object: 'model', created: 1, owned_by: 'test' })) },
  };

  const server = createServer(async (request, response) => {
    response.on('error', () => {});
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // the sender went away while it was sending
    }
    if (request.method === 'GET' && catalog[request.url]) {
      sendJson(response, catalog[request.url]);
      return;
    }
    const seen = new Seen(request, Buffer.concat(chunks));
    seen.closed = new Promise((resolve) => {
      request.socket.once('close', () => resolve(performance.now()));
    });
    recorder.requests.push(seen);
    waiting.splice(0).forEach((resolve) => resolve(seen));
    await recorder.reply(response, seen);
  });
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket) => socket.setMaxListeners(0)); // each request on it listens for its end
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  recorder.url = `http://127.0.0.1:${server.address().port}`;
  return recorder;
}

export function sendJson(response, value, status = 200, headers = {}) {
  sendText(response, JSON.stringify(value), status, headers);
}

export function sendText(response, text, status = 200, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
  response.end(text);
}

/** Answers with pieces of an event stream; a function among them is awaited in its place. */
export async function sendPieces(response, pieces, { type = 'text/event-stream', end = true } = {}) {
  response.writeHead(200, { 'content-type': type });
  for (const piece of pieces) {
    if (typeof piece === 'function') await piece();
    else response.write(piece);
  }
  if (end) response.end();
}

export function chatChunk(content, finish = null, more = {}) {
  const delta = content === undefined ? {} : { role: 'assistant', content };
  return event({
    id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'tiny:latest',
    choices: [{ index: 0, delta, finish_reason: finish }], ...more,
  });
}

export const event = (value) => `data: ${JSON.stringify(value)}\n\n`;
export const line = (value) => `${JSON.stringify(value)}\n`;
export const DONE = 'data: [DONE]\n\n';

export function chatReply(content, more = {}) {
  return {
    id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'tiny:latest',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }, ...more,
  };
}

/** The configuration that sends everything to `recorder`. */
export function backendsOf(...entries) {
  return entries.map((entry, index) => ({ id: `backend-${index + 1}`, type: 'openai', hardware: 'cpu', ...entry }));
}

/** Resolves to what `promise` gives, or fails after `ms`: a test must not hang. */
export async function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
