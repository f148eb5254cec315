// The options of `npm run bench`.
import { parseArgs } from 'node:util';

export const SUITES = ['mint', 'startup', 'http', 'sockets', 'idle', 'slow-readers', 'soak', 'simulator'] as const;
export type Suite = (typeof SUITES)[number];

export interface Options {
  readonly suites: readonly Suite[];
  /** How often each contender is measured per workload; the best measurement counts. */
  readonly rounds: number;
  /** How often all contenders are started anew: what V8 makes of the same program differs from process to process. */
  readonly starts: number;
  /** Length of one measurement. */
  readonly seconds: number;
  /** CPU time a contender spends under load before its first measurement, per workload: Node compiles hot code meanwhile. */
  readonly warmSeconds: number;
  /** Names of contenders; `null` = all that this machine can run. The broker is always one of them. */
  readonly only: readonly string[] | null;
  /** Names of workloads; `null` = all of the suite. */
  readonly workloads: readonly string[] | null;
  /** TLS on both legs of every contender. */
  readonly tls: boolean;
  /** The `dist/` of another version of the broker, measured next to this one. */
  readonly baseline: string | null;
  /** Idle sockets to open, over all replicas. */
  readonly sockets: number;
  /** Number of brokers among which idle sockets are divided; 1 = one broker next to the other contenders. */
  readonly replicas: number;
  /** Seconds for which replicas hold the sockets, and the length of a soak. */
  readonly holdSeconds: number;
  /** File for the raw numbers, as JSON. */
  readonly json: string | null;
}

export const USAGE = `npm run bench -- SUITE... [options]

  mint       access tokens: callers seen before, and every caller's token new (ES256, RS256)
  startup    process start to first answer, memory
  http       carried requests: small, 100 kB at once, 100 kB paced
  sockets    relayed WebSockets: speech, paced speech, recordings
  idle       memory per idle relayed WebSocket; with --replicas: whether they are held
  slow-readers  what 20 slow readers cost 180 fast ones, and memory
  soak       mixed traffic with aborts and failures: memory, losses, metered usage against what Cartesia charged
  simulator  what the offline Cartesia of this repository can do

  --rounds N       measurements of each contender, the best counts (5)
  --starts N       processes of each contender, one after the other, each measured --rounds times (1)
  --duration S     seconds of one measurement (1)
  --warm S         seconds of CPU time for warming up, per contender and workload (2)
  --only A,B       contenders beside the broker, by name; http: \`broker-native\` has the other transport, \`limited\` leases and budgets
  --workloads A,B  workloads of the suite, by name
  --tls            TLS on both legs (needs haproxy)
  --baseline DIR   another build of the broker to compare with, such as ../before/dist
  --sockets N      idle sockets (5000)
  --replicas N     idle: divide the sockets among this many brokers, with no other contender (1)
  --hold S         idle: seconds for which replicas hold them; soak: its length (120)
  --json FILE      also write the raw numbers to FILE`;

/** @throws TypeError with a text for the user */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      starts: { type: 'string', default: '1' },
      duration: { type: 'string', default: '1' },
      warm: { type: 'string', default: '2' },
      only: { type: 'string' },
      workloads: { type: 'string' },
      tls: { type: 'boolean', default: false },
      baseline: { type: 'string' },
      sockets: { type: 'string', default: '5000' },
      replicas: { type: 'string', default: '1' },
      hold: { type: 'string', default: '120' },
      json: { type: 'string' },
    },
  });
  if (positionals.length === 0) throw new TypeError('Name at least one suite.');
  return {
    suites: positionals.map(suiteNamed),
    rounds: positive(values.rounds, 'rounds'),
    starts: positive(values.starts, 'starts'),
    seconds: positive(values.duration, 'duration'),
    warmSeconds: positive(values.warm, 'warm'),
    only: values.only?.split(',') ?? null,
    workloads: values.workloads?.split(',') ?? null,
    tls: values.tls,
    baseline: values.baseline ?? null,
    sockets: positive(values.sockets, 'sockets'),
    replicas: positive(values.replicas, 'replicas'),
    holdSeconds: positive(values.hold, 'hold'),
    json: values.json ?? null,
  };
}

function suiteNamed(name: string): Suite {
  const suite = SUITES.find((known) => known === name);
  if (suite === undefined) throw new TypeError(`No suite "${name}".`);
  return suite;
}

function positive(text: string, name: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new TypeError(`--${name} takes a positive number.`);
  return value;
}
