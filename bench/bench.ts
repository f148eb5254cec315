// npm run bench: measures what the broker costs next to other servers. docs/performance.md says how to read the results.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildBroker } from './broker.ts';
import { runIdle } from './idle.ts';
import { runIdleReplicas } from './idle-replicas.ts';
import { runLoadSuite } from './load-suite.ts';
import { describeMachine, missing } from './machine.ts';
import { type Options, readOptions, type Suite, USAGE } from './options.ts';
import { measureSimulator } from './simulator.ts';
import { runSlowReaders } from './slow-readers.ts';
import { runSoak } from './soak.ts';
import { runStartUp } from './start-up.ts';

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));

/** @returns the exit code: 0 fine, 1 something was lost or wrong, 2 wrong usage or an unsuitable machine */
async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 2;
  }
  const lacks = missing();
  if (lacks.length > 0) {
    console.error(`The benchmark needs:\n${lacks.map((text) => `- ${text}`).join('\n')}`);
    return 2;
  }
  return (await run(options)) === 0 ? 0 : 1;
}

/** @returns the total number of errors */
export async function run(options: Options): Promise<number> {
  console.log(`${new Date().toISOString().slice(0, 10)}; ${describeMachine()}`);
  console.log(`best of ${options.rounds} rounds of ${options.seconds} s; TLS ${options.tls ? 'on both legs' : 'off'}`);
  const dist = buildBroker();
  const raw: Partial<Record<Suite, readonly { readonly errors: number }[]>> = {};
  for (const suite of options.suites) {
    raw[suite] = await runSuite(suite, options, dist);
    if (options.json !== null) writeFileSync(options.json, JSON.stringify(raw, null, 1));
  }
  const errors = Object.values(raw)
    .flat()
    .reduce((sum, one) => sum + one.errors, 0);
  console.log(`\nErrors, lost or changed bytes: ${errors}`);
  return errors;
}

async function runSuite(suite: Suite, options: Options, dist: string): Promise<readonly { readonly errors: number }[]> {
  switch (suite) {
    case 'startup':
      return runStartUp(options, dist, console.log);
    case 'idle':
      return options.replicas > 1 ? runIdleReplicas(options, dist, console.log) : runIdle(options, dist, console.log);
    case 'slow-readers':
      return runSlowReaders(options, dist, console.log);
    case 'soak':
      return runSoak(options, dist, console.log);
    case 'simulator':
      return measureSimulator(options);
    default:
      return runLoadSuite(suite, options, dist, console.log);
  }
}
