// cartesia-broker healthcheck: asks the broker on this machine whether it lives. For containers without a shell or curl.
import { get } from 'node:http';
import { formatProblem, loadConfig } from '../config/load.ts';
import type { CommandIo, ExitCode } from './io.ts';

/** Milliseconds; below the time-out of the image's health check, so that the reason is printed. */
const PATIENCE_MS = 3000;

const USAGE = `usage: cartesia-broker healthcheck

Asks GET /livez on the management listener that the settings name. Exit code 0: alive. 1: not.
`;

/** Reads the same settings as `serve`: in a container both have the same environment. */
export async function runHealthcheck(
  argv: readonly string[],
  io: CommandIo,
  patienceMs = PATIENCE_MS,
): Promise<ExitCode> {
  if (argv.length > 0) {
    io.stderr.write(USAGE);
    return 2;
  }
  const loaded = await loadConfig(io.env);
  if (loaded.outcome === 'refused') {
    for (const problem of loaded.problems) io.stderr.write(`${formatProblem(problem)}\n`);
    return 2;
  }
  const { host, port } = loaded.config.management;
  const answer = await askLiveness(hostFromHere(host), port, patienceMs);
  (answer === 'alive' ? io.stdout : io.stderr).write(`${answer}\n`);
  return answer === 'alive' ? 0 : 1;
}

/** A listener on every address is reached on loopback. */
function hostFromHere(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** `alive`, or what is wrong. */
function askLiveness(host: string, port: number, patienceMs: number): Promise<string> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(patienceMs);
    const request = get({ host, port, path: '/livez', agent: false, signal }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? 'alive' : `answered ${response.statusCode}`);
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      resolve(signal.aborted ? `no answer within ${patienceMs} ms` : `not reached: ${error.code ?? error.name}`);
    });
  });
}
