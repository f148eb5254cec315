// Measures what taking and releasing one lease costs with the in-memory store. node bench/lease-cost.ts
import { LeaseDesk } from '../src/limits/lease-desk.ts';
import { observeLimits } from '../src/limits/observe-limits.ts';
import { createMemoryStore } from '../src/store/memory-store.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';

const ROUNDS = 5;
const TIMES = 100_000;
const store = createMemoryStore();
const desk = new LeaseDesk({
  kind: 'tts',
  pool: store.leases('tts'),
  rules: { limit: 15, reserved: new Map(), queueMax: 500, isShared: true },
  replica: store.replica,
  onEvent: observeLimits(createMetrics().limits),
});
const share = { clientMax: 10, subjectMax: 2, weight: 1, isLimited: true };

const rounds: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  const before = process.cpuUsage();
  for (let i = 0; i < TIMES; i += 1) {
    const lease = await desk.ask({ client: 'web', subject: `user-${i % 1000}` }, share, 2_000).granted;
    lease?.release();
  }
  const { user, system } = process.cpuUsage(before);
  rounds.push((user + system) / TIMES);
}
console.log(`${Math.min(...rounds).toFixed(2)} µs of CPU for one lease, taken and given back`);
