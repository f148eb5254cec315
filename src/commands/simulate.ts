// cartesia-broker simulate: runs the offline Cartesia as a program of its own.
import { once } from 'node:events';
import { runSimulate, SIMULATE_USAGE, SimulateUsageError } from '../simulator/command.ts';
import type { CommandIo, ExitCode } from './io.ts';

export async function runSimulateCommand(argv: readonly string[], io: CommandIo): Promise<ExitCode> {
  if (argv.includes('--help') || argv.includes('-h')) {
    io.stdout.write(SIMULATE_USAGE);
    return 0;
  }
  try {
    const simulation = await runSimulate(argv, io);
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
    await simulation.close();
    return 0;
  } catch (error) {
    // The message holds no secret: the simulator's keys are made up.
    io.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof SimulateUsageError ? error.exitCode : 1;
  }
}
