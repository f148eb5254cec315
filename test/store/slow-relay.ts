// A slow network path to a Redis: everything is delayed, and the order is kept.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

export interface SlowRelay {
  readonly url: string;
  /** Round-trip delay in milliseconds; initially 0. Applies to data from now on. */
  delayMs: number;
  /** Target port of connections opened from now on. */
  port: number;
  /** Silently drops all further data on open connections, like a network that has forgotten them. */
  forget(): void;
  /** Resolves once Redis is asked something with these words in it, which has not been answered then. */
  asked(words: string): Promise<void>;
}

export async function slowRelay(t: Test, port: number): Promise<SlowRelay> {
  const open = new Set<Socket>();
  const forgotten = new WeakSet<Socket>();
  const listeners = new Set<(bytes: Buffer) => void>();
  const relay = {
    url: '',
    delayMs: 0,
    port,
    forget: () => {
      for (const socket of open) forgotten.add(socket);
    },
    asked: (words: string) =>
      new Promise<void>((resolve) => {
        const listener = (bytes: Buffer): void => {
          if (!bytes.includes(words)) return;
          listeners.delete(listener);
          resolve();
        };
        listeners.add(listener);
      }),
  };
  const server = createServer((inner) => {
    const outer = connect(relay.port, '127.0.0.1');
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      let dueMs = 0;
      open.add(from);
      from.on('data', (bytes) => {
        const now = performance.now();
        dueMs = Math.max(dueMs, now + relay.delayMs / 2);
        if (from === inner) for (const listener of listeners) listener(bytes);
        if (!forgotten.has(from)) setTimeout(() => to.writable && to.write(bytes), dueMs - now);
      });
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
      from.on('error', () => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP listener has a port');
  relay.url = `redis://127.0.0.1:${address.port}`;
  return relay;
}
