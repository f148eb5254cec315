#!/usr/bin/env node
// The command line. The only file that touches the process: arguments, environment, exit code.
import { readFileSync } from 'node:fs';
import { endOnEarlySignals } from './commands/first-process.ts';
import type { CommandIo, ExitCode } from './commands/io.ts';
import { complaintAboutNode } from './commands/node-version.ts';

const USAGE = `Usage: cartesia-broker <command> [options]

  serve          run the broker with the settings of the environment (see .env.example)
  demo           try it: a simulated Cartesia, a broker, a spoken sentence; no key, no network  [--once]
  simulate       an offline Cartesia to build and test against                                 [--help]
  check-config   read the settings, report every problem, start nothing
  key            make an app key                                                               [--name NAME]
  admin          look at a running broker: revoke, kill, leases, usage                         [--help]
  healthcheck    check that the broker on this machine is alive: exit code 0 or 1

  --version, --help
`;

/** Loaded on demand: `serve` pays for nothing that only the other commands need. */
const COMMANDS: Readonly<Record<string, (argv: readonly string[], io: CommandIo) => Promise<ExitCode>>> = {
  serve: async (argv, io) => (await import('./commands/serve.ts')).runServe(argv, io),
  demo: async (argv, io) => (await import('./commands/demo.ts')).runDemo(argv, io),
  simulate: async (argv, io) => (await import('./commands/simulate.ts')).runSimulateCommand(argv, io),
  'check-config': async (argv, io) => (await import('./commands/check-config.ts')).runCheckConfig(argv, io),
  key: async (argv, io) => (await import('./commands/key.ts')).runKey(argv, io),
  admin: async (argv, io) => (await import('./commands/admin.ts')).runAdmin(argv, io),
  healthcheck: async (argv, io) => (await import('./commands/healthcheck.ts')).runHealthcheck(argv, io),
};

endOnEarlySignals(process);
// Node would open its inspector on this signal, for anyone on the machine.
process.on('SIGUSR1', () => {});
// A diagnostic report would list the environment, secrets and all.
if (process.report !== undefined) process.report.excludeEnv = true;

const [name = '', ...argv] = process.argv.slice(2);
// Passed as a whole: creating its streams takes 3 ms, and `serve` does not write to them.
const io: CommandIo = process;

if (name === 'help' || name === '--help' || name === '-h') {
  process.stdout.write(USAGE);
} else if (name === '--version' || name === '-v') {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  process.stdout.write(`${version}\n`);
} else if (Object.hasOwn(COMMANDS, name) && COMMANDS[name] !== undefined) {
  const complaint = complaintAboutNode(process.versions.node);
  if (complaint === null) process.exitCode = await COMMANDS[name](argv, io);
  else {
    process.stderr.write(`${complaint}\n`);
    process.exitCode = 1;
  }
} else {
  process.stderr.write(`${name === '' ? 'No' : 'Unknown'} command.\n\n${USAGE}`);
  process.exitCode = 2;
}
