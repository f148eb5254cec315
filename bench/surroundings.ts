// Everything around the servers of a run: upstream, callers, TLS hops, and the ports between them.
import { once } from 'node:events';
import { type Callers, createCallers } from './callers.ts';
import { type Certificate, writeCertificate } from './certificate.ts';
import { type Contender, tlsLeg } from './contenders.ts';
import { LOAD_CPU, SERVER_CPU } from './machine.ts';
import { compile } from './native.ts';
import { freePort, launchOn, type Running, setUrgent, start } from './processes.ts';
import type { Server } from './rounds.ts';

export interface Surroundings {
  readonly callers: Callers;
  /** The port where servers reach upstream; it speaks TLS if the run does. */
  readonly upstreamPort: number;
  /** Starts a contender. The returned `port` takes plain HTTP, whatever the server itself speaks. */
  start(contender: Contender): Promise<Server>;
  setUrgent(server: Server, isUrgent: boolean): void;
  /** Stops everything around the servers; otherwise it would keep this process from ending. */
  close(): Promise<void>;
}

/** @param tls whether to use TLS between load and server, and between server and upstream */
export async function createSurroundings(tls: boolean): Promise<Surroundings> {
  const callers = await createCallers();
  const certificate = tls ? writeCertificate() : null;
  const { port: plainPort, pid, stop } = await startUpstream();
  const legs: Running[] = [];
  const startLeg = async (side: 'on' | 'off', to: number, held: Certificate): Promise<Running> => {
    const port = await freePort();
    // On the load's CPU: what the hop takes must not count for the server.
    const leg = await start(tlsLeg(side, { port, upstreamPort: to, callers, certificate: held }), {
      port,
      cpu: LOAD_CPU,
    });
    legs.push(leg);
    return leg;
  };
  const upstreamPort = certificate === null ? plainPort : (await startLeg('off', plainPort, certificate)).port;

  async function startServer(contender: Contender): Promise<Server> {
    if (contender.kind === 'none') return { contender, port: plainPort, pids: [], stop: async () => {} };
    const port = await freePort();
    const server = await start(contender.launch({ port, upstreamPort, callers, certificate }), {
      port,
      cpu: SERVER_CPU,
    });
    if (certificate === null) return { contender, ...server };
    return { contender, ...server, port: (await startLeg('on', port, certificate)).port };
  }

  return {
    callers,
    upstreamPort,
    start: startServer,
    setUrgent: (server, isUrgent) => setUrgent([pid, ...server.pids], isUrgent),
    async close() {
      callers.close();
      stop();
      await Promise.all(legs.map((leg) => leg.stop()));
    },
  };
}

async function startUpstream(): Promise<{ readonly port: number; readonly pid: number; stop(): void }> {
  const child = launchOn(LOAD_CPU, { command: [compile('upstream'), '0'] }, 'pipe');
  if (child.stdout === null || child.pid === undefined) throw new Error('upstream does not start');
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
  return { port: Number(line), pid: child.pid, stop: () => child.kill() };
}
