// What impatient callers and the death of a replica do to leases, on real processes, with the simulated Cartesia as the judge.
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { problemOf, until } from './limits-answers.ts';
import { deploy } from './limits-replicas.ts';

const GENERATION_MS = 800;

test('two replicas, many callers, some of whom leave: never more active than the limit, and hardly ever fewer', async (t) => {
  const limit = 4;
  const { simulator, replicas, speak, begin } = await deploy(t, { limit, waitSeconds: 20 });
  simulator.configure({ latency: { firstByteMs: GENERATION_MS } });
  let isOver = false;
  const outcomes = new Map<string | null, number>();
  const caller = async (at: number): Promise<void> => {
    const replica = replicas[at % 2 === 0 ? 0 : 1];
    while (!isOver) {
      const answer = await speak(replica, `user-${at}`);
      const outcome = answer.status === 200 ? 'served' : problemOf(answer).error_code;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  const callers = Array.from({ length: 16 }, (_, at) => caller(at));
  await until(() => simulator.counters().tts.active === limit);
  const samples: number[] = [];
  for (const endMs = performance.now() + 8_000; performance.now() < endMs; await sleep(5))
    samples.push(simulator.counters().tts.active);
  const utilisation = samples.reduce((sum, active) => sum + active, 0) / samples.length / limit;
  t.ok(utilisation >= 0.95, `utilisation ${utilisation.toFixed(3)}`);
  t.equal(simulator.counters().tts.highWater, limit);

  const leaver = async (at: number): Promise<void> => {
    const replica = replicas[at % 2 === 0 ? 0 : 1];
    while (!isOver) {
      const opening = begin(replica, `leaver-${at}`);
      await sleep((at * 37) % 150);
      opening.then(
        (answer) => answer.destroy(),
        () => {},
      );
    }
  };
  const leavers = Array.from({ length: 6 }, (_, at) => leaver(at));
  await sleep(4_000);
  isOver = true;
  await Promise.all([...callers, ...leavers]);
  t.equal(simulator.counters().tts.highWater, limit, 'with leavers too');
  t.strictSame([...outcomes.keys()], ['served'], JSON.stringify([...outcomes]));
});

test('a replica is killed: its leases are free for the other within fifteen seconds', async (t) => {
  const { simulator, replicas, speak, begin } = await deploy(t, { limit: 3, waitSeconds: 20 });
  simulator.configure({ latency: { perChunkMs: 60_000 } });
  const [doomed, other] = replicas;
  const streams = await Promise.all([1, 2, 3].map((n) => begin(doomed, `user-${n}`)));
  for (const stream of streams) stream.on('error', () => {});
  simulator.configure({ latency: { perChunkMs: 0 } });
  const killedMs = performance.now();
  doomed.child.kill('SIGKILL');
  const answer = await speak(other, 'waiting');
  t.equal(answer.status, 200);
  t.ok(performance.now() - killedMs < 15_000, `${Math.round(performance.now() - killedMs)} ms`);
});
