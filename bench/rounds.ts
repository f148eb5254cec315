// Measures contenders in turns, so that whatever else happens on the machine affects all of them.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender, Kind } from './contenders.ts';
import { type Durations, type Measurement, measure } from './measurement.ts';
import type { Running } from './processes.ts';
import type { Workload } from './workloads.ts';

export interface Server extends Running {
  readonly contender: Contender;
}

/** One contender under one workload: the best of all rounds, since other work on the machine can only add to a figure. */
export interface Result {
  readonly workload: string;
  readonly contender: string;
  readonly kind: Kind;
  readonly unitsPerSecond: number;
  /** Best and median of the rounds. */
  readonly cpuUs: number;
  readonly cpuUsMedian: number;
  /** Median of each start's rounds. */
  readonly cpuUsOfStarts: readonly number[];
  readonly latencyUs: Durations | null;
  readonly chunkUs: Durations | null;
  /** Median. */
  readonly rssMb: number;
  /** Fraction of the time in which the load generator was busy. */
  readonly loadUse: number;
  /** Sum over all rounds. */
  readonly errors: number;
}

/** What a measurement needs besides server and workload. */
export interface Round {
  readonly requestFile: string;
  /** @param round -1: the warm-up before the first one */
  credentialsFile(round: number): string;
  /** Raises the priority of server and upstream above other work on the machine, or resets it. */
  setUrgent(server: Server, isUrgent: boolean): void;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmSeconds: number;
}

/** Time for a server to finish what the last load left behind. */
const PAUSE_MS = 50;
const PACED_FACTOR = 2;
/** Paced workloads never use much CPU. */
const WARM_RUNS_MAX = 10;

/** Returns the measurements of each server, round by round. */
export async function runRounds(
  servers: readonly Server[],
  workload: Workload,
  plan: Round,
): Promise<ReadonlyMap<Server, readonly Measurement[]>> {
  const found = new Map<Server, Measurement[]>(servers.map((server) => [server, []]));
  const run = async (server: Server, round: number): Promise<Measurement> => {
    const seconds = plan.seconds * (workload.isPaced === true ? PACED_FACTOR : 1);
    const settings = { warm: 0.3, seconds, ...workload.settings, lines: plan.credentialsFile(round) };
    const isUrgent = workload.isPaced === true;
    plan.setUrgent(server, isUrgent);
    const measured = await measure({ program: workload.program, settings }, server, plan.requestFile, isUrgent);
    plan.setUrgent(server, false);
    await sleep(PAUSE_MS);
    return measured;
  };
  for (const server of servers) {
    // Warms up by CPU time, not by the clock: on a busy machine a second may bring only a tenth of one.
    for (let cpuUs = 0, runs = 0; cpuUs < plan.warmSeconds * 1e6 && runs < WARM_RUNS_MAX; runs += 1) {
      cpuUs += Math.max(1, (await run(server, -1)).cpuUs);
      if (server.pids.length === 0 || workload.credentials !== 'seen') break; // tokens are new only once
    }
  }
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const [place] of servers.entries()) {
      const server = servers[(place + round) % servers.length];
      if (server !== undefined) found.get(server)?.push(await run(server, round));
    }
  }
  return found;
}

/** @param starts the rounds of each start */
export function summary(
  workload: Workload,
  { name, kind }: Contender,
  starts: readonly (readonly Measurement[])[],
): Result {
  const cpuOf = (one: Measurement): number => one.cpuUs / Math.max(1, workload.unitsOf(one));
  const all = starts.flat();
  const cpu = all.map(cpuOf);
  return {
    workload: workload.name,
    contender: name,
    kind,
    unitsPerSecond: Math.max(...all.map((one) => workload.unitsOf(one) / one.seconds)),
    cpuUs: Math.min(...cpu),
    cpuUsMedian: median(cpu),
    cpuUsOfStarts: starts.map((rounds) => median(rounds.map(cpuOf))),
    latencyUs: best(all.map(({ latencyUs }) => latencyUs)),
    chunkUs: best(all.map(({ chunkUs }) => chunkUs)),
    rssMb: median(all.map(({ rssKb }) => rssKb / 1024)),
    loadUse: median(all.map(({ loadCpuUs, seconds }) => loadCpuUs / 1e6 / seconds)),
    errors: all.reduce((sum, { errors }) => sum + errors, 0),
  };
}

function best(all: readonly (Durations | null)[]): Durations | null {
  const known = all.filter((one) => one !== null);
  if (known.length === 0) return null;
  return { p50: Math.min(...known.map(({ p50 }) => p50)), p99: Math.min(...known.map(({ p99 }) => p99)) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}
