// Mixed traffic for any length of time, with clients that leave and a Cartesia that fails: does memory grow, is anything lost that should
// not be, and do the meters agree with what Cartesia has charged?
import { setTimeout as sleep } from 'node:timers/promises';
import { brokerLaunch } from './broker.ts';
import { createCallers } from './callers.ts';
import { SERVER_CPU } from './machine.ts';
import type { Options } from './options.ts';
import type { Print } from './print.ts';
import { freePort, type Running, residentKib, start } from './processes.ts';
import { ask, forkSimulator } from './simulator-child.ts';
import { REQUESTS_PER_SECOND, Traffic, type TrafficCounts } from './soak-traffic.ts';
import { metOrMissed } from './tables.ts';

export interface Soak extends TrafficCounts {
  /** Failures that Cartesia was told to cause; some meet a client that leaves. */
  readonly faults: number;
  readonly charactersMetered: number;
  readonly charactersCharged: number;
  /** Measured after the first quarter. */
  readonly rssGrowthMbPer10Min: number;
  readonly rssMb: number;
  readonly errors: number;
}

const SOCKETS = 20;
const PER_CHUNK_MS = 20;
const SAMPLE_MS = 5_000;
/** Time for the last responses to end. */
const CALM_MS = 2_000;
const GOAL_MB_PER_10_MIN = 1;

export async function runSoak({ holdSeconds }: Options, dist: string, print: Print): Promise<readonly [Soak]> {
  const callers = await createCallers();
  const { child: upstream, url: upstreamUrl } = await forkSimulator();
  const [port, managementPort] = [await freePort(), await freePort()];
  const settings = { dist, port, managementPort, upstreamUrl, callers, certificate: null } as const;
  let server: Running | null = null;
  try {
    server = await start(brokerLaunch({ ...settings, delivery: 'proxied', isLimited: true }), {
      port,
      cpu: SERVER_CPU,
    });
    const { pids } = server;
    const traffic = new Traffic(port, callers.tokens('ES256', SOCKETS));
    const samples: number[] = [];
    const sampling = setInterval(() => samples.push(residentKib(pids) / 1024), SAMPLE_MS).unref();
    const before = await ask(upstream, { perChunkMs: PER_CHUNK_MS });
    await traffic.run(holdSeconds, () => void ask(upstream, { failing: 1 }));
    await sleep(CALM_MS);
    clearInterval(sampling);
    const { creditsSpent, faults } = await ask(upstream, {});
    const metered = await charactersMetered(managementPort);
    const charged = creditsSpent - before.creditsSpent;
    const { requests, aborted, failed } = traffic;
    const found: Soak = {
      requests,
      aborted,
      failed,
      faults,
      charactersMetered: metered,
      charactersCharged: charged,
      rssGrowthMbPer10Min: slopePerSample(samples.slice(samples.length >> 2)) * (600_000 / SAMPLE_MS),
      rssMb: residentKib(pids) / 1024,
      errors: Math.max(0, failed - faults) + Math.abs(metered - charged),
    };
    show(found, holdSeconds, print);
    return [found];
  } finally {
    await server?.stop();
    upstream.disconnect();
    callers.close();
  }
}

async function charactersMetered(managementPort: number): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${managementPort}/metrics`)).text();
  return [...metrics.matchAll(/^broker_usage_total\{.*unit="characters".*\} (\d+)$/gm)].reduce(
    (sum, [, amount]) => sum + Number(amount),
    0,
  );
}

/** Slope of the least-squares line. */
function slopePerSample(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  let [over, under] = [0, 0];
  for (const [at, value] of values.entries()) {
    over += (at - middle) * (value - mean);
    under += (at - middle) ** 2;
  }
  return under === 0 ? 0 : over / under;
}

function show(found: Soak, seconds: number, print: Print): void {
  print(`\n### soak: ${REQUESTS_PER_SECOND} requests a second and ${SOCKETS} sockets for ${seconds} s\n`);
  print(
    '| requests | aborted | failed | injected faults | characters metered | charged | RSS, MB | growth, MB in 10 min |',
  );
  print('|--:|--:|--:|--:|--:|--:|--:|--:|');
  const { requests, aborted, failed, faults, charactersMetered, charactersCharged, rssMb, rssGrowthMbPer10Min } = found;
  print(
    `| ${requests} | ${aborted} | ${failed} | ${faults} | ${charactersMetered} | ${charactersCharged} | ${rssMb.toFixed(0)} | ${rssGrowthMbPer10Min.toFixed(2)} |`,
  );
  print('');
  print(
    `- failed without an injected fault: ${Math.max(0, failed - faults)}, goal 0: ${metOrMissed(failed <= faults)}`,
  );
  print(
    `- meters: ${charactersMetered - charactersCharged} off, goal 0: ${metOrMissed(charactersMetered === charactersCharged)}`,
  );
  print(
    `- growth: ${rssGrowthMbPer10Min.toFixed(2)} MB in 10 min, goal < ${GOAL_MB_PER_10_MIN}: ${metOrMissed(rssGrowthMbPer10Min < GOAL_MB_PER_10_MIN)}`,
  );
}
