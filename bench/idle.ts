// Measures the memory per idle relayed WebSocket.

import { NATIVE, SOCKET_PACKAGES } from './contenders.ts';
import { carriedCredentials } from './credentials.ts';
import { contendersFor } from './load-suite.ts';
import { measure } from './measurement.ts';
import type { Options } from './options.ts';
import type { Print } from './print.ts';
import { handshake, LISTENING, writeRequest } from './requests.ts';
import { createSurroundings } from './surroundings.ts';
import { number } from './tables.ts';

export interface Idle {
  readonly contender: string;
  readonly open: number;
  readonly kibPerSocket: number;
  readonly errors: number;
}

const GOAL_KIB = 12;
const GOAL_OF_RELAY = 0.65;
/** Sockets that come and go beforehand, so that what a server allocates once does not count. */
const SOCKETS_BEFORE = 50;
/** For all handshakes; with TLS each takes some milliseconds of CPU time on both legs. */
const PATIENCE_SECONDS = 60;

export async function runIdle(options: Options, dist: string, print: Print): Promise<readonly Idle[]> {
  const around = await createSurroundings(options.tls);
  const requestFile = writeRequest('idle', handshake(LISTENING));
  const found: Idle[] = [];
  let lines = '';
  try {
    for (const contender of contendersFor(
      { delivery: 'proxied', others: [...NATIVE, ...SOCKET_PACKAGES] },
      options,
      dist,
      print,
    )) {
      const server = await around.start(contender);
      if (lines === '') lines = await carriedCredentials(around.callers, server.port); // the broker is the first contender
      const settings = { warm: 0.5, seconds: 0.5, lines };
      await measure(
        { program: 'sockets', settings: { ...settings, does: 'listen', connections: SOCKETS_BEFORE } },
        server,
        requestFile,
      );
      const {
        open = 0,
        rssKb,
        rssBeforeKb = 0,
        errors,
      } = await measure(
        {
          program: 'sockets',
          settings: { ...settings, does: 'wait', connections: options.sockets, patience: PATIENCE_SECONDS },
        },
        server,
        requestFile,
      );
      await server.stop();
      if (open === 0) print(`- ${contender.name} does not relay WebSockets: skipped`);
      else found.push({ contender: contender.name, open, kibPerSocket: (rssKb - rssBeforeKb) / open, errors });
    }
    show(found, print);
    return found;
  } finally {
    await around.close();
  }
}

function show(found: readonly Idle[], print: Print): void {
  const [ours] = found;
  const relay = found.find(({ contender }) => contender === 'ws-relay');
  print('\n### idle\n');
  print('| server | sockets | KiB of memory per socket | errors |\n|---|--:|--:|--:|');
  for (const { contender, open, kibPerSocket, errors } of found) {
    print(`| ${contender} | ${open} | ${number(kibPerSocket)} | ${errors} |`);
  }
  print('');
  if (ours?.contender !== 'broker') return;
  print(
    `- ${number(ours.kibPerSocket)} KiB, goal ≤ ${GOAL_KIB}: ${ours.kibPerSocket <= GOAL_KIB ? 'met' : '**missed**'}`,
  );
  if (relay === undefined) return;
  const ratio = ours.kibPerSocket / relay.kibPerSocket;
  print(
    `- ${ratio.toFixed(2)} times ws-relay's, goal ≤ ${GOAL_OF_RELAY}: ${ratio <= GOAL_OF_RELAY ? 'met' : '**missed**'}`,
  );
}
