// The WebSocket example of the documentation in a real browser, letter for letter: the browser is told that
// localhost:8080 is where this test's daemon listens.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { startDaemon, untilReady } from '../lib/daemon.mjs';
import { exampleOf } from '../lib/documents.mjs';

const PATIENCE_MS = 60_000;
const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

function findBrowser() {
  for (const name of NAMES) {
    try {
      return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    } catch {
      // the next one, then
    }
  }
  return undefined;
}

const EXAMPLE = exampleOf(new URL('../../../docs/api/websocket.md', import.meta.url));
const browser = findBrowser();

describe('Chromium', { skip: browser ? false : `none of ${NAMES.join(', ')} is installed` }, () => {
  let daemon, pages, profile;
  before(async () => {
    daemon = await startDaemon();
    await untilReady(daemon);
    pages = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      response.end(`<!doctype html><title>example</title><script>\n${EXAMPLE}</script>
        <script>ws.addEventListener('close', (event) => console.log(\`closed: ${'$'}{event.code}\`));</script>`);
    }).listen(0, '127.0.0.1');
    await once(pages, 'listening');
    profile = await mkdtemp(join(tmpdir(), 'ollama-proxy-e2e-'));
  });
  after(async () => {
    pages?.close();
    pages?.closeAllConnections();
    await daemon?.stop();
    if (profile) await rm(profile, { recursive: true, force: true });
  });

  /** Opens the page as one of this host, and gives what it writes to its console up to a line that matches. */
  async function consoleOf(host, until) {
    const rules = `MAP localhost:8080 127.0.0.1:${new URL(daemon.url).port}, MAP ${host}:80 127.0.0.1:${pages.address().port}`;
    const child = spawn(browser, [
      '--headless', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-dev-shm-usage',
      ...(process.getuid() === 0 ? ['--no-sandbox'] : []), '--enable-logging=stderr', '--remote-debugging-port=0',
      `--user-data-dir=${profile}/${host}`, `--host-resolver-rules=${rules}`, `http://${host}/`,
    ], { stdio: ['ignore', 'ignore', 'pipe'], detached: true }); // a group of its own: it has children
    const exited = once(child, 'exit');
    const kill = () => process.kill(-child.pid, 'SIGKILL');
    const killer = setTimeout(kill, PATIENCE_MS);
    const all = [];
    const lines = [];
    for await (const line of createInterface({ input: child.stderr })) {
      all.push(line);
      const text = /:CONSOLE[:(]\d+[\])]\s*"?(.*?)"?, source: /.exec(line)?.[1];
      if (text === undefined) continue;
      lines.push(text);
      if (until.test(text)) break;
    }
    clearTimeout(killer);
    if (child.exitCode === null && child.signalCode === null) kill();
    child.stderr.destroy();
    await exited;
    assert.match(lines.at(-1) ?? '', until, all.slice(-20).join('\n'));
    return lines;
  }

  test('prints the tokens of the example', async () => {
    const lines = await consoleOf('localhost', /^Token: , TTFT/);
    assert.ok(lines.length > 2, lines.join('\n'));
    for (const line of lines) assert.match(line, /^Token: .*, TTFT: [\d.]+ms$/);
  });

  test('gets no socket for a page of a foreign origin', async () => {
    assert.deepEqual(await consoleOf('page.example', /^closed/), ['closed: 1006']);
    const metrics = await (await fetch(`${daemon.url}/metrics`)).text();
    assert.match(metrics, /^ollama_proxy_refusals_total\{reason="forbidden_origin"\} 1$/m);
  });
});
