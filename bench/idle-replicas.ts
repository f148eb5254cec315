// Holds many idle WebSockets over several replicas for a while: all must open in time, none may be lost, and memory must stay small.
import { broker } from './contenders.ts';
import { carriedCredentials } from './credentials.ts';
import { mostFiles } from './machine.ts';
import { measure } from './measurement.ts';
import type { Options } from './options.ts';
import type { Print } from './print.ts';
import { CALL, handshake, writeRequest } from './requests.ts';
import { createSurroundings } from './surroundings.ts';
import { metOrMissed, number } from './tables.ts';

export interface IdleReplica {
  readonly open: number;
  readonly openSeconds: number;
  readonly kibPerSocket: number;
  /** Of one CPU, while the sockets are held. */
  readonly cpuPercent: number;
  /** Lost sockets and wrong messages. */
  readonly errors: number;
}

const GOAL_OPEN_SECONDS = 60;
const GOAL_KIB = 60;
/** Shorter than the broker's idle limit. */
const PING_SECONDS = 60;
/** Files that a process has open besides the sockets. */
const OTHER_FILES = 200;

/** @throws Error if this machine allows too few open files, or a handshake takes too long */
export async function runIdleReplicas(options: Options, dist: string, print: Print): Promise<readonly IdleReplica[]> {
  const { replicas, sockets, holdSeconds } = options;
  const each = Math.ceil(sockets / replicas);
  const files = Math.max(2 * each, sockets) + OTHER_FILES; // two per socket in a broker, one in the shared upstream
  if (mostFiles() < files) throw new Error(`${sockets} sockets need ${files} open files: ulimit -Hn ${files}`);
  const around = await createSurroundings(options.tls);
  const requestFile = writeRequest('idle-replicas', handshake(CALL));
  const servers = [];
  try {
    for (let n = 1; n <= replicas; n += 1) servers.push(await around.start(broker(`replica ${n}`, dist, 'proxied')));
    const lines = await carriedCredentials(around.callers, servers[0]?.port ?? 0); // the replicas accept each other's access tokens
    const settings = {
      does: 'wait',
      connections: each,
      warm: 1,
      lines,
      patience: GOAL_OPEN_SECONDS,
      ping: PING_SECONDS,
    };
    const found = await Promise.all(
      servers.map(async (server): Promise<IdleReplica> => {
        const load = { program: 'sockets', settings: { ...settings, seconds: holdSeconds } } as const;
        const measured = await measure(load, server, requestFile);
        const { open = 0, openSeconds = 0, rssKb, rssBeforeKb = 0, cpuUs, seconds, errors } = measured;
        const kibPerSocket = (rssKb - rssBeforeKb) / Math.max(1, open);
        return { open, openSeconds, kibPerSocket, cpuPercent: cpuUs / 1e4 / seconds, errors };
      }),
    );
    show(found, options, print);
    return found;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await around.close();
  }
}

function show(found: readonly IdleReplica[], { sockets, holdSeconds }: Options, print: Print): void {
  print(`\n### idle: ${sockets} sockets over ${found.length} replicas, held for ${holdSeconds} s\n`);
  print('| replica | sockets | all open within, s | KiB of memory per socket | CPU while idle, % | lost |');
  print('|---|--:|--:|--:|--:|--:|');
  for (const [at, { open, openSeconds, kibPerSocket, cpuPercent, errors }] of found.entries()) {
    print(
      `| ${at + 1} | ${open} | ${number(openSeconds)} | ${number(kibPerSocket)} | ${number(cpuPercent)} | ${errors} |`,
    );
  }
  const worst = {
    seconds: Math.max(...found.map(({ openSeconds }) => openSeconds)),
    kib: Math.max(...found.map(({ kibPerSocket }) => kibPerSocket)),
    lost: found.reduce((sum, { errors }) => sum + errors, 0),
  };
  print('');
  print(
    `- open within ${number(worst.seconds)} s, goal ≤ ${GOAL_OPEN_SECONDS}: ${metOrMissed(worst.seconds <= GOAL_OPEN_SECONDS)}`,
  );
  print(`- ${worst.lost} lost, goal 0: ${metOrMissed(worst.lost === 0)}`);
  print(`- ${number(worst.kib)} KiB, goal ≤ ${GOAL_KIB}: ${metOrMissed(worst.kib <= GOAL_KIB)}`);
}
