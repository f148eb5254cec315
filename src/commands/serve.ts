// cartesia-broker serve: runs the service until a signal ends it.
import { startBroker } from '../broker.ts';
import { formatProblem, loadConfig } from '../config/load.ts';
import { createLogger } from '../telemetry/logger.ts';
import { isHelp } from './help.ts';
import type { CommandIo, ExitCode } from './io.ts';
import { stopOnSignals } from './stop-on-signals.ts';

/** Milliseconds added to the drain's own limits, so that the drain ends first. */
const STOP_RESERVE_MS = 2000;

const USAGE = `Usage: cartesia-broker serve

Runs the broker until a signal ends it. It takes no arguments: settings come from the environment, see .env.example.
`;

/** Resolves only if it does not start; a running broker ends with the process. */
export async function runServe(argv: readonly string[], io: CommandIo): Promise<ExitCode> {
  if (argv.length > 0) {
    const isAsked = isHelp(argv);
    (isAsked ? io.stdout : io.stderr).write(USAGE);
    return isAsked ? 0 : 2;
  }
  const loaded = await loadConfig(io.env);
  if (loaded.outcome === 'refused') {
    io.stderr.write('The configuration is not usable:\n');
    for (const problem of loaded.problems) io.stderr.write(`  ${formatProblem(problem)}\n`);
    return 2;
  }
  const { config, warnings } = loaded;
  const logger = createLogger(config.log.level);
  for (const warning of warnings) logger.warn({ setting: warning.setting }, formatProblem(warning));

  const starting = startBroker(config, logger, { nodeOptions: io.env['NODE_OPTIONS'] ?? '' });
  // Installed before it listens, so that a broker told to stop while it starts also shuts down in order.
  const ignoreSignals = stopOnSignals({
    logger,
    deadlineMs: config.listen.drainDelayMs + config.listen.drainDeadlineMs + STOP_RESERVE_MS,
    onHangup: () => {
      logger.info('SIGHUP: reading the files of secrets and certificates');
      starting.then(
        (broker) => broker.renewSecrets(),
        () => {}, // reported below
      );
    },
    // Ctrl-C at a terminal skips the drain delay; an orchestrator's SIGTERM does not.
    stop: async ({ signal }) => (await starting).stop(signal === 'SIGINT' ? { delayMs: 0 } : {}),
  });
  try {
    const { url, managementUrl } = await starting;
    logger.info({ url, management_url: managementUrl, clients: config.clients.map((c) => c.name) }, 'listening');
  } catch (error) {
    ignoreSignals();
    logger.fatal({ err: error }, 'not started');
    io.stderr.write(`Not started: ${startTrouble(error)}\n`);
    return 1;
  }
  return new Promise(() => {}); // a signal ends the process
}

/** System errors name an address or a file, which the operator needs. Other messages may quote what was read, so only code or class is shown. */
function startTrouble(error: unknown): string {
  if (error instanceof Error && 'syscall' in error) return error.message;
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.constructor.name : 'unknown error, see the log';
}
