// Other programs that a test needs beside the daemon.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A port that nobody listens on now. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Calls `probe` until it gives something truthy; fails after `ms`. */
export async function until(probe, ms, what) {
  const end = performance.now() + ms;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Starts a program and waits until `url` answers 200. */
export async function startServer(command, args, url) {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let tail = '';
  child.stderr.on('data', (data) => { tail = (tail + data).slice(-4000); });
  const exited = once(child, 'exit');
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}\n${tail}`);
    return (await fetch(url).catch(() => undefined))?.ok;
  }, 30_000, url);
  return {
    async kill(signal = 'SIGKILL') {
      child.kill(signal);
      await exited;
    },
  };
}
