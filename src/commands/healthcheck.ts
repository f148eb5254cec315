// cartesia-broker healthcheck: asks the broker on this machine whether it is alive. For containers without a shell or curl.
import { get } from 'node:http';
import { loadManagement } from '../config/load-management.ts';
import { hostFromHere } from '../config/network-names.ts';
import { formatProblem } from '../config/report.ts';
import { isHelp } from './help.ts';
import type { CommandIo, ExitCode } from './io.ts';
import { whyNoAnswer } from './no-answer.ts';

/** Milliseconds; below the time-out of the image's health check, so that the reason is printed. */
const PATIENCE_MS = 3000;

const USAGE = `Usage: cartesia-broker healthcheck

Asks GET /livez on the management listener that the settings name. Exit code 0: alive. 1: not alive.
`;

/**
 * Reads the address from the same settings as `serve`: in a container both have the same environment. It ignores all other settings: a
 * serving broker is alive even while one of its settings files is missing or being edited.
 */
export async function runHealthcheck(
  argv: readonly string[],
  io: CommandIo,
  patienceMs = PATIENCE_MS,
): Promise<ExitCode> {
  if (argv.length > 0) {
    const isAsked = isHelp(argv);
    (isAsked ? io.stdout : io.stderr).write(USAGE);
    return isAsked ? 0 : 2;
  }
  const loaded = await loadManagement(io.env, ['host', 'port']);
  if (loaded.outcome === 'refused') {
    for (const problem of loaded.problems) io.stderr.write(`${formatProblem(problem)}\n`);
    return 2;
  }
  const { host, port } = loaded.management;
  const answer = await askLiveness(hostFromHere(host), port, patienceMs);
  if (answer !== 'alive') for (const doubt of loaded.doubts) io.stderr.write(`${formatProblem(doubt)}\n`);
  (answer === 'alive' ? io.stdout : io.stderr).write(`${answer}\n`);
  return answer === 'alive' ? 0 : 1;
}

/** `alive`, or what is wrong. */
function askLiveness(host: string, port: number, patienceMs: number): Promise<string> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(patienceMs);
    const request = get({ host, port, path: '/livez', agent: false, signal }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? 'alive' : `answered ${response.statusCode}`);
    });
    request.on('error', (error) => resolve(whyNoAnswer(error, patienceMs)));
  });
}
