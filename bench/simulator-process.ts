// The simulator as a process of its own. For every message it reports its CPU time and stalls since the previous message, and what it
// has charged in total.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { FaultAction } from '../src/simulator/faults.ts';
import { startSimulator } from '../src/simulator/simulator.ts';

export interface Report {
  readonly cpuPercent: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
  readonly rssMb: number;
  /** Since the start: one for each character spoken. */
  readonly creditsSpent: number;
  /** Requests that a fault rule made fail. */
  readonly faults: number;
}

export interface Order {
  readonly perChunkMs?: number;
  /** How many of the next requests for speech in bytes fail. */
  readonly failing?: number;
}

const limits = { tts: 1e6, stt: 1e6, agents: 1e6, ttsSockets: 1e6 };
const simulator = await startSimulator({ tlsPort: null, settings: { limits, journal: { frames: false } } });
/** One is refused before anything is charged, the next is cut after all of it is. */
const WRONG: readonly FaultAction[] = [
  { type: 'answer', status: 500 },
  { type: 'reset', afterBodyBytes: 2_000 },
];
let ordered = 0;
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
let cpu = process.cpuUsage();
let since = performance.now();
process.on('message', ({ perChunkMs, failing = 0 }: Order) => {
  if (perChunkMs !== undefined) simulator.settings.latency.perChunkMs = perChunkMs;
  for (let n = 0; n < failing; n += 1) {
    const action = WRONG[ordered % WRONG.length];
    ordered += 1;
    if (action !== undefined) simulator.faults.add({ match: { path: '/tts/bytes' }, times: 1, action });
  }
  const used = process.cpuUsage(cpu);
  const report: Report = {
    cpuPercent: (used.user + used.system) / 10 / (performance.now() - since),
    loopDelayP99Ms: delay.percentile(99) / 1e6,
    loopDelayMaxMs: delay.max / 1e6,
    rssMb: process.memoryUsage.rss() / 1024 / 1024,
    creditsSpent: simulator.counters().creditsSpent,
    faults: ordered - simulator.faults.list().filter(({ hits }) => hits === 0).length,
  };
  cpu = process.cpuUsage();
  since = performance.now();
  delay.reset();
  process.send?.(report);
});
process.on('disconnect', () => process.exit());
process.send?.(simulator.url);
