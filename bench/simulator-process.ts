// The simulator as a process of its own: on every message it reports its CPU time and stalls since the message before.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { startSimulator } from '../src/simulator/simulator.ts';

export interface Report {
  readonly cpuPercent: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
  readonly rssMb: number;
}

const limits = { tts: 1e6, stt: 1e6, agents: 1e6, ttsSockets: 1e6 };
const simulator = await startSimulator({ tlsPort: null, settings: { limits, journal: { frames: false } } });
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
let cpu = process.cpuUsage();
let since = performance.now();
process.on('message', (message: { readonly perChunkMs?: number }) => {
  if (message.perChunkMs !== undefined) simulator.settings.latency.perChunkMs = message.perChunkMs;
  const used = process.cpuUsage(cpu);
  const report: Report = {
    cpuPercent: (used.user + used.system) / 10 / (performance.now() - since),
    loopDelayP99Ms: delay.percentile(99) / 1e6,
    loopDelayMaxMs: delay.max / 1e6,
    rssMb: process.memoryUsage.rss() / 1024 / 1024,
  };
  cpu = process.cpuUsage();
  since = performance.now();
  delay.reset();
  process.send?.(report);
});
process.on('disconnect', () => process.exit());
process.send?.(simulator.url);
