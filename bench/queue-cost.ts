// Measures Redis' time for releasing a lease while others wait for it. Starts a redis-server of its own. node bench/queue-cost.ts
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Secret } from '../src/config/secret.ts';
import type { LeaseAsk } from '../src/store/lease-rules.ts';
import { createRedisStore } from '../src/store/redis/redis-store.ts';
import { freePort } from './processes.ts';

const WAITING = [0, 1, 10, 100, 500];
const TIMES = 40;
const rules = { limit: 1, reserved: new Map<string, number>(), queueMax: 10_000, isShared: true };

const port = await freePort();
const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', ''], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
await once(server.stdout, 'data');
const store = await createRedisStore({
  url: { current: new Secret(`redis://127.0.0.1:${port}`) },
  prefix: 'bench',
  commandTimeoutMs: 10_000,
  times: { warmMs: 0, ttlMs: 600_000, offerMs: 600_000 },
});
await store.reached;
const leases = store.leases('tts');
let asked = 0;

/** The next ask: client apps take turns among three, and every `each` consecutive asks share the name of a subject. */
function ask(each: number): LeaseAsk {
  asked += 1;
  const subject = `user-${Math.floor(asked / each)}`;
  const shares = { clientMax: null, subjectMax: null, weight: 1, waitMs: 600_000 };
  return { id: `ask-${asked}`, client: `app-${asked % 3}`, subject, owner: store.replica, ...shares };
}

/** Redis' mean time for one call in microseconds, by its own count. */
function perCall(): number {
  const stats = execFileSync('redis-cli', ['-p', String(port), 'info', 'commandstats'], { encoding: 'utf8' });
  return Number(/cmdstat_evalsha:.*?usec_per_call=([\d.]+)/.exec(stats)?.[1]);
}

console.log('waiting | subjects | taken or queued, µs | given back, µs');
for (const waiting of WAITING) {
  for (const each of waiting < 10 ? [1] : [1, 10]) {
    const held: LeaseAsk[] = [];
    for (let i = 0; i <= waiting; i += 1) held.push(ask(each));
    for (const one of held) await leases.acquire(rules, one);
    let given = 0;
    let taken = 0;
    for (let i = 0; i < TIMES; i += 1) {
      const {
        leases: [holder],
      } = await leases.view(rules);
      execFileSync('redis-cli', ['-p', String(port), 'config', 'resetstat']);
      await leases.release(rules, [holder?.id ?? '']);
      given += perCall();
      const next = ask(each);
      execFileSync('redis-cli', ['-p', String(port), 'config', 'resetstat']);
      await leases.acquire(rules, next);
      taken += perCall();
    }
    console.log(
      [waiting, Math.ceil(waiting / each), (taken / TIMES).toFixed(0), (given / TIMES).toFixed(0)].join(' | '),
    );
    execFileSync('redis-cli', ['-p', String(port), 'flushdb']);
  }
}
await store.close();
server.kill();
