// Measures what slow readers cost fast ones, and in memory: streams at the pace of speech next to readers that take almost nothing of
// streams fifty times as fast.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_SERVER } from './contenders.ts';
import { carriedCredentials } from './credentials.ts';
import { contendersFor } from './load-suite.ts';
import { measure } from './measurement.ts';
import type { Options } from './options.ts';
import type { Print } from './print.ts';
import { residentKib } from './processes.ts';
import { speech, writeRequest } from './requests.ts';
import type { Server } from './rounds.ts';
import { createSurroundings } from './surroundings.ts';
import { metOrMissed } from './tables.ts';

export interface SlowReaders {
  readonly contender: string;
  /** All fast readers together. */
  readonly chunksPerSecond: number;
  /** The server's memory for each slow reader, including its upstream connection; `null` if there is no server. */
  readonly kibPerSlowReader: number | null;
  readonly errors: number;
}

const FAST = 180;
const SLOW = 20;
/** 48 KB per second: a chunk of 4,800 bytes every 100 ms. Streams last two seconds, so that few begin or end at any moment. */
const PACED = 'n=20&size=4800&gap=100000';
/** Fifty times as fast, for eight seconds: more than the buffers of two connections hold. Upstream itself keeps what is not read. */
const PRESSING = 'n=4000&size=4800&gap=2000';
const SLOW_BYTES_PER_SECOND = 1_024;
/** By then the kernel's buffers are full, and the broker has to hold upstream back. */
const FILL_MS = 4_000;

/** Multiples of `--duration`: how long the fast readers warm up, are measured, and rush beforehand. */
const TIMES = { warm: 2, measured: 4, rush: 2 } as const;

const GOAL_OF_DIRECT = 0.95;
const GOAL_KIB = 1_024;

export async function runSlowReaders(options: Options, dist: string, print: Print): Promise<readonly SlowReaders[]> {
  const around = await createSurroundings(options.tls);
  const requestFile = writeRequest('slow-readers', speech(PACED));
  const rushFile = writeRequest('slow-readers-rush', speech('n=200&size=4800&gap=0'));
  const found: SlowReaders[] = [];
  let lines = '';
  try {
    for (const contender of [...contendersFor({ delivery: 'proxied', others: [] }, options, dist, print), NO_SERVER]) {
      const server = await around.start(contender);
      if (lines === '') lines = await carriedCredentials(around.callers, server.port); // the broker is the first contender
      const load = {
        program: 'load',
        settings: {
          answers: 'stream',
          chunks: 20,
          size: 4_800,
          connections: FAST,
          warm: TIMES.warm * options.seconds,
          seconds: TIMES.measured * options.seconds,
          lines,
        },
      } as const;
      // As much traffic as there will ever be, so that the heap's growth from traffic alone is not counted as the cost of slow readers.
      const rush = {
        ...load,
        settings: { ...load.settings, chunks: 200, warm: 0, seconds: TIMES.rush * options.seconds },
      };
      await measure(rush, server, rushFile);
      const before = residentKib(server.pids);
      const slow = await openSlowReaders(server, lines);
      await sleep(FILL_MS);
      const taken = residentKib(server.pids) - before;
      const { chunks = 0, seconds, errors } = await measure(load, server, requestFile);
      const left = slow.filter(({ destroyed }) => destroyed).length;
      for (const socket of slow) socket.destroy();
      await server.stop();
      found.push({
        contender: contender.name,
        chunksPerSecond: chunks / seconds,
        kibPerSlowReader: server.pids.length === 0 ? null : Math.max(0, taken) / SLOW,
        errors: errors + left,
      });
    }
    show(found, print);
    return found;
  } finally {
    await around.close();
  }
}

async function openSlowReaders({ port }: Server, lines: string): Promise<readonly Socket[]> {
  const [line = ''] = readFileSync(lines, 'utf8').split('\n');
  return Promise.all(
    Array.from({ length: SLOW }, async (_, n) => {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      socket.write(speech(PRESSING).replace('{id}', n.toString(16).padStart(8, '0')).replace('{line}', line));
      // A destroyed socket counts as an error; while nothing is read, only this event reveals it.
      socket.on('error', () => socket.destroy());
      const tap = setInterval(() => socket.read(SLOW_BYTES_PER_SECOND), 1_000);
      socket.on('close', () => clearInterval(tap));
      return socket;
    }),
  );
}

function show(found: readonly SlowReaders[], print: Print): void {
  const direct = found.find(({ contender }) => contender === NO_SERVER.name);
  print('\n### slow-readers\n');
  print(`${FAST} readers of 48 KB a second beside ${SLOW} that take 1 KB a second of 2.4 MB.\n`);
  print('| server | chunks/s of the fast readers | share of direct | KiB per slow reader | errors |');
  print('|---|--:|--:|--:|--:|');
  for (const { contender, chunksPerSecond, kibPerSlowReader, errors } of found) {
    const share = direct === undefined ? '–' : `${((chunksPerSecond / direct.chunksPerSecond) * 100).toFixed(1)} %`;
    print(
      `| ${contender} | ${chunksPerSecond.toFixed(0)} | ${share} | ${kibPerSlowReader?.toFixed(0) ?? '–'} | ${errors} |`,
    );
  }
  const [ours] = found;
  if (ours === undefined || direct === undefined) return;
  const share = ours.chunksPerSecond / direct.chunksPerSecond;
  print('');
  print(
    `- ${(share * 100).toFixed(1)} % of direct, goal ≥ ${GOAL_OF_DIRECT * 100} %: ${metOrMissed(share >= GOAL_OF_DIRECT)}`,
  );
  const kib = ours.kibPerSlowReader ?? 0;
  print(`- ${kib.toFixed(0)} KiB per slow reader, goal ≤ ${GOAL_KIB}: ${metOrMissed(kib <= GOAL_KIB)}`);
}
