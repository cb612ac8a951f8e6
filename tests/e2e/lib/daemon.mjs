// Starts the real daemon for a test, on free ports and with nothing of the user's: no configuration, no state.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const binary = process.env.OLLAMA_PROXY_BINARY
  ?? fileURLToPath(new URL('../../../build/release/ollama-proxy', import.meta.url));
const START_LIMIT_MS = 10_000;

/** The address in the daemon's first line, whatever stands around it. */
export function addressIn(line) {
  const url = /https?:\/\/(localhost|[\d.]+|\[[\da-f:]+\]):(\d+)/i.exec(line) ?? /()(?:127\.0\.0\.1):(\d+)/.exec(line);
  return url ? `http://127.0.0.1:${url[2]}` : undefined;
}

/**
 * Runs the daemon until stop().
 * @param {{config?: object, args?: string[]}} options `config` is written as the configuration file (JSON is YAML);
 *   without one the daemon runs with its simulated backends.
 */
export async function startDaemon({ config, args = [] } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'ollama-proxy-e2e-'));
  const command = [...args, '--http-port', '0'];
  if (config) {
    const file = join(folder, 'config.yaml');
    await writeFile(file, JSON.stringify(withTestDefaults(config, folder), null, 1));
    command.push('--config', file);
  } else {
    command.push('--demo', '--grpc-port', '0');
  }
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OLLAMA_')));
  Object.assign(env, { XDG_CONFIG_HOME: folder, XDG_STATE_HOME: folder, HOME: folder });
  const child = spawn(binary, command, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const lines = [];

  const url = await new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`${why}\n${lines.join('\n')}`));
    const timer = setTimeout(() => fail('the daemon printed no address'), START_LIMIT_MS);
    child.once('error', (error) => fail(`${binary}: ${error.message}`));
    exited.then(({ code, signal }) => fail(`the daemon ended with ${signal ?? code}`));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        const address = addressIn(line);
        if (address) {
          clearTimeout(timer);
          resolve(address);
        }
      });
    }
  }).catch(async (error) => {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
    throw error;
  });

  return {
    url,
    /** HOST:PORT of gRPC, where the configuration has it on. */
    grpc: lines.map((line) => /gRPC on (127\.0\.0\.1:\d+)/.exec(line)?.[1]).find(Boolean),
    lines,
    /** Stops it as a user would; fails when it does not end well. */
    async stop() {
      const killer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      child.kill('SIGTERM');
      const { code, signal } = await exited;
      clearTimeout(killer);
      await rm(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`the daemon ended with ${signal ?? code}\n${lines.join('\n')}`);
    },
  };
}

/** Waits until a backend can serve: tests that judge routing start from there. */
export async function untilReady(daemon) {
  const end = Date.now() + START_LIMIT_MS;
  for (;;) {
    const reply = await fetch(`${daemon.url}/readyz`);
    await reply.arrayBuffer();
    if (reply.status === 200) return;
    if (Date.now() > end) throw new Error(`not ready: /readyz says ${reply.status}\n${daemon.lines.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function withTestDefaults(config, folder) {
  return {
    monitors: { enabled: false },
    dbus: { enabled: false },
    notifications: { enabled: false },
    state_dir: folder,
    ...config,
    server: { grpc_port: null, shutdown_grace_ms: 1000, ...config.server },
  };
}
