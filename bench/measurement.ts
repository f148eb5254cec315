// Runs the load generator once against one server.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { LOAD_CPU, pinnedTo } from './machine.ts';
import { compile, type NativeProgram } from './native.ts';
import { setUrgent } from './processes.ts';

/** Microseconds. */
export interface Durations {
  readonly p50: number;
  readonly p99: number;
}

export interface Measurement {
  /** Length of the measured time, without the warm-up. */
  readonly seconds: number;
  /** Complete requests; `load` only. */
  readonly requests?: number;
  readonly chunks?: number;
  /** Messages over WebSockets; `sockets` only. */
  readonly messages?: number;
  /** Sockets that were opened. */
  readonly open?: number;
  /** Time until all of them were open. */
  readonly openSeconds?: number;
  /** Bytes of payload. */
  readonly bytes: number;
  /** Wrong, missing or broken responses, bytes and connections, including those before the measured time. */
  readonly errors: number;
  /** CPU time of the server: user and system, all threads. */
  readonly cpuUs: number;
  /** CPU time of the load generator. */
  readonly loadCpuUs: number;
  readonly rssKb: number;
  readonly rssBeforeKb?: number;
  /** From when a request was due to the end of its response, or to the first message of speech. `null`: none in time. */
  readonly latencyUs: Durations | null;
  /** From upstream's write to the client's read. */
  readonly chunkUs: Durations | null;
}

export interface Load {
  readonly program: NativeProgram;
  /** The program's `name=value` options. */
  readonly settings: Readonly<Record<string, string | number>>;
}

/** The load generator prints the errors that it sees; if it gives up, this rejects. */
export async function measure(
  { program, settings }: Load,
  server: { readonly port: number; readonly pids: readonly number[] },
  requestFile: string,
  isUrgent = false,
): Promise<Measurement> {
  const options = Object.entries({ ...settings, pids: server.pids.join() }).map(([name, value]) => `${name}=${value}`);
  const [command = '', ...rest] = [
    ...pinnedTo(LOAD_CPU),
    compile(program),
    String(server.port),
    requestFile,
    ...options,
  ];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.pid !== undefined) setUrgent([child.pid], isUrgent);
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (code !== 0) throw new Error(`the load generator gave up (${program}, exit ${code})`);
  return JSON.parse(output) as Measurement; // our own program printed it
}
