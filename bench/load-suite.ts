// Runs the load suites: contenders side by side, workload after workload.
import {
  broker,
  type Contender,
  HTTP_PACKAGES,
  installPeers,
  LIMITED,
  MINT_PACKAGES,
  NATIVE,
  NO_SERVER,
  obstacle,
  SOCKET_PACKAGES,
  WITH_NATIVE_TRANSPORT,
  withLimits,
  withNativeTransport,
} from './contenders.ts';
import { carriedCredentials, mintCredentials } from './credentials.ts';
import { type Measurement, measure } from './measurement.ts';
import type { Options } from './options.ts';
import type { Print } from './print.ts';
import { writeRequest } from './requests.ts';
import { type Result, runRounds, type Server, summary } from './rounds.ts';
import { createSurroundings, type Surroundings } from './surroundings.ts';
import { workloadTable } from './tables.ts';
import { HTTP_WORKLOADS, MINT_WORKLOADS, SOCKET_WORKLOADS, type Workload } from './workloads.ts';

export type LoadSuite = 'mint' | 'http' | 'sockets';

interface SuiteParts {
  readonly workloads: readonly Workload[];
  readonly delivery: 'direct' | 'proxied';
  readonly others: readonly Contender[];
}

const PARTS: Readonly<Record<LoadSuite, SuiteParts>> = {
  mint: { workloads: MINT_WORKLOADS, delivery: 'direct', others: MINT_PACKAGES },
  http: { workloads: HTTP_WORKLOADS, delivery: 'proxied', others: [NO_SERVER, ...NATIVE, ...HTTP_PACKAGES] },
  sockets: { workloads: SOCKET_WORKLOADS, delivery: 'proxied', others: [NO_SERVER, ...NATIVE, ...SOCKET_PACKAGES] },
};

/** The broker, another build of it if one is named, and those of `others` that were asked for and can run here. */
export function contendersFor(
  { delivery, others }: Pick<SuiteParts, 'delivery' | 'others'>,
  { only, baseline }: Options,
  dist: string,
  print: Print,
): readonly Contender[] {
  const wanted = others.filter(({ name }) => only === null || only.includes(name));
  if (wanted.some(({ kind }) => kind === 'package')) installPeers();
  const able = wanted.filter((contender) => {
    const reason = obstacle(contender);
    if (reason !== null) print(`- ${contender.name} is left out: ${reason}`);
    return reason === null;
  });
  return [
    broker('broker', dist, delivery),
    ...(baseline === null ? [] : [broker('baseline', baseline, delivery)]),
    ...able,
  ];
}

/** The rounds of each start. */
type Starts = Map<Contender, (readonly Measurement[])[]>;
type Measured = ReadonlyMap<Workload, Starts>;

interface Run {
  readonly suite: LoadSuite;
  readonly options: Options;
  readonly around: Surroundings;
  readonly print: Print;
}

/** Prints a table for each workload. @returns all results */
export async function runLoadSuite(
  suite: LoadSuite,
  options: Options,
  dist: string,
  print: Print,
): Promise<readonly Result[]> {
  const parts = PARTS[suite];
  const workloads = parts.workloads.filter(({ name }) => options.workloads?.includes(name) ?? true);
  const contenders = [
    ...contendersFor(parts, options, dist, print),
    ...(suite === 'http' ? variants(options, dist) : []),
  ];
  const measured: Measured = new Map(workloads.map((workload) => [workload, new Map()]));
  const results: Result[] = [];
  const whenComplete = (workload: Workload, rounds: Starts): void => {
    const found = [...rounds].map(([contender, starts]) => summary(workload, contender, starts));
    print(`\n${workloadTable(suite, workload, found)}`);
    results.push(...found);
  };
  const around = await createSurroundings(options.tls);
  try {
    const run = { suite, options, around, print };
    for (let start = 1; start < options.starts; start += 1) await measureOnce(run, contenders, measured, () => {});
    await measureOnce(run, contenders, measured, whenComplete);
  } finally {
    await around.close();
  }
  return results;
}

/** Starts all contenders, measures every workload and stops them. */
async function measureOnce(
  { suite, options, around, print }: Run,
  contenders: readonly Contender[],
  measured: Measured,
  whenMeasured: (workload: Workload, rounds: Starts) => void,
): Promise<void> {
  const servers = await startAll(contenders, around);
  try {
    const carried = suite === 'mint' ? null : await carriedCredentials(around.callers, servers[0]?.port ?? 0);
    for (const [workload, rounds] of measured) {
      const credentialsFile =
        carried === null ? mintCredentials(around.callers, workload.credentials, options) : (): string => carried;
      const requestFile = writeRequest(workload.name, workload.request);
      const able = await serving(servers, { workload, requestFile, lines: credentialsFile(-1), print });
      const plan = { ...options, requestFile, credentialsFile, setUrgent: around.setUrgent };
      for (const [{ contender }, more] of await runRounds(able, workload, plan))
        rounds.set(contender, [...(rounds.get(contender) ?? []), more]);
      whenMeasured(workload, rounds);
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** The same build with other settings. */
function variants({ only }: Options, dist: string): readonly Contender[] {
  return [
    ...((only?.includes(WITH_NATIVE_TRANSPORT) ?? true) ? [withNativeTransport(dist)] : []),
    ...(only?.includes(LIMITED) ? [withLimits(dist)] : []),
  ];
}

/** Starts the contenders one after the other; they then run side by side. */
async function startAll(contenders: readonly Contender[], around: Surroundings): Promise<readonly Server[]> {
  const servers: Server[] = [];
  try {
    for (const contender of contenders) servers.push(await around.start(contender));
    return servers;
  } catch (error) {
    await Promise.all(servers.map((server) => server.stop()));
    throw error;
  }
}

interface Probe {
  readonly workload: Workload;
  readonly requestFile: string;
  readonly lines: string;
  readonly print: Print;
}

/** The servers that serve the workload at all: not every version of the broker, and not every package, relays WebSockets. */
async function serving(
  servers: readonly Server[],
  { workload, requestFile, lines, print }: Probe,
): Promise<readonly Server[]> {
  if (workload.program !== 'sockets') return servers;
  const able: Server[] = [];
  for (const server of servers) {
    const settings = { ...workload.settings, connections: 1, warm: 0, seconds: 0.1, lines };
    const { errors } = await measure({ program: workload.program, settings }, server, requestFile);
    if (errors === 0) able.push(server);
    else print(`- ${server.contender.name} does not serve ${workload.name}: skipped`);
  }
  return able;
}
