// Every suite of the benchmark runs against a real broker. Only lost requests are checked, not the figures.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import tap, { test } from 'tap';
import { buildBroker } from '../../bench/broker.ts';
import { runIdle } from '../../bench/idle.ts';
import { runIdleReplicas } from '../../bench/idle-replicas.ts';
import { type LoadSuite, runLoadSuite } from '../../bench/load-suite.ts';
import { has } from '../../bench/machine.ts';
import { readOptions } from '../../bench/options.ts';
import { runSlowReaders } from '../../bench/slow-readers.ts';
import { runSoak } from '../../bench/soak.ts';
import { runStartUp } from '../../bench/start-up.ts';
import { HTTP_WORKLOADS, MINT_WORKLOADS, SOCKET_WORKLOADS } from '../../bench/workloads.ts';

tap.setTimeout(300_000); // one minute on an otherwise idle machine

/** `--only` with an unknown name measures the broker alone. */
const BRIEF = ['--rounds', '1', '--duration', '0.2', '--warm', '0.05', '--only', 'nobody', '--sockets', '50'];
const WORKLOADS = { mint: MINT_WORKLOADS, http: HTTP_WORKLOADS, sockets: SOCKET_WORKLOADS } as const;

const quietly = (): void => {};
const dist = buildBroker();

for (const suite of ['mint', 'http', 'sockets'] as const satisfies readonly LoadSuite[]) {
  test(`${suite}: every workload runs without loss`, async (t) => {
    const results = await runLoadSuite(suite, readOptions([suite, ...BRIEF]), dist, quietly);
    t.strictSame(
      results.map(({ workload, contender, errors }) => ({ workload, contender, errors })),
      WORKLOADS[suite].map(({ name }) => ({ workload: name, contender: 'broker', errors: 0 })),
    );
    for (const { unitsPerSecond, cpuUs } of results) t.ok(unitsPerSecond > 0 && cpuUs > 0);
  });
}

test('startup: the first response arrives', async (t) => {
  const found = await runStartUp(readOptions(['startup', ...BRIEF]), dist, quietly);
  t.strictSame(
    found.map(({ contender, errors }) => ({ contender, errors })),
    [
      { contender: 'broker', errors: 0 },
      { contender: 'hello', errors: 0 },
    ],
  );
});

test('idle: sockets stay open', async (t) => {
  const [ours] = await runIdle(readOptions(['idle', ...BRIEF]), dist, quietly);
  t.match(ours, { contender: 'broker', open: 50, errors: 0 });
});

test('slow readers: fast readers lose nothing, and no slow one is cut off', async (t) => {
  const found = await runSlowReaders(readOptions(['slow-readers', ...BRIEF]), dist, quietly);
  t.strictSame(
    found.map(({ contender, errors }) => ({ contender, errors })),
    [
      { contender: 'broker', errors: 0 },
      { contender: 'no proxy', errors: 0 },
    ],
  );
  for (const { chunksPerSecond } of found) t.ok(chunksPerSecond > 0);
});

test('soak: only injected faults fail, and the meters match what Cartesia charged', async (t) => {
  const [found] = await runSoak(readOptions(['soak', ...BRIEF, '--hold', '5']), dist, quietly);
  t.match(found, { requests: 400, errors: 0 });
  t.equal(found.charactersMetered, found.charactersCharged);
  t.ok(found.charactersCharged > 0 && found.aborted > 0 && found.faults > 0 && found.failed > 0);
});

test('idle over replicas: all sockets open, and none is lost', async (t) => {
  const options = readOptions(['idle', ...BRIEF, '--replicas', '2', '--hold', '1']);
  const found = await runIdleReplicas(options, dist, quietly);
  t.strictSame(
    found.map(({ open, errors }) => ({ open, errors })),
    [
      { open: 25, errors: 0 },
      { open: 25, errors: 0 },
    ],
  );
  await t.rejects(
    runIdleReplicas({ ...options, sockets: 1e9 }, dist, quietly),
    /1000000000 sockets need \d+ open files/,
    'more than any machine allows',
  );
});

for (const tls of has('haproxy') ? [[], ['--tls']] : [[]]) {
  test(`the program exits on its own ${tls}`, async (t) => {
    const child = spawn(process.execPath, ['bench/bench.ts', 'idle', ...BRIEF, ...tls], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill());
    const [, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    t.equal(code, 0);
  });
}
