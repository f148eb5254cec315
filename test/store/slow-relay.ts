// A way to a Redis that is long: what goes through takes a while, and nothing overtakes anything.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

export interface SlowRelay {
  readonly url: string;
  /** There and back, milliseconds; 0 at first. Holds for what comes from now on. */
  delayMs: number;
  /** Where connections lead that are made from now on. */
  port: number;
  /** What is open swallows whatever comes, without a word: a network that has forgotten its connections. */
  forget(): void;
}

export async function slowRelay(t: Test, port: number): Promise<SlowRelay> {
  const open = new Set<Socket>();
  const forgotten = new WeakSet<Socket>();
  const relay = {
    url: '',
    delayMs: 0,
    port,
    forget: () => {
      for (const socket of open) forgotten.add(socket);
    },
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
