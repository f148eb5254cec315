// One greedy subject beside ten modest ones: the real broker and queue, with the simulated Cartesia behind it.
import { type Test, test } from 'tap';
import { SPEECH, send, startCarrying } from './carried-broker.ts';

/** Short, since every response is searched for secrets. */
const WORD = { ...SPEECH, transcript: 'Hi.' };
const GENERATION_MS = 200;
const LIMIT = 5;
const MODEST = Array.from({ length: 10 }, (_, at) => `modest-${at}`);
const GREEDY = Array.from({ length: 200 }, () => 'greedy');

/** How long the modest subjects waited (milliseconds, sorted), and how many requests each subject was served. */
async function waits(t: Test, subjects: readonly string[], lastsMs: number) {
  const { broker, simulator, appKey } = await startCarrying(t, {
    env: { TTS_CONCURRENCY: String(LIMIT) },
    client: { trusted: true },
    file: { limits: { queue: { wait: 30 } } },
  });
  simulator.configure({ limits: { tts: 1_000 }, latency: { firstByteMs: GENERATION_MS, perChunkMs: 0 } });
  const served = new Map<string, number>();
  const waited: number[] = [];
  const untilMs = performance.now() + lastsMs;
  const caller = async (subject: string): Promise<void> => {
    while (performance.now() < untilMs) {
      const { status, ms } = await send(`${broker.url}/tts/bytes`, {
        credential: appKey,
        json: WORD,
        headers: { 'x-broker-subject': subject },
      });
      if (status !== 200) throw new Error(`${subject}: ${status}`);
      if (performance.now() > untilMs) return; // what is still queued now is served without a rival
      served.set(subject, (served.get(subject) ?? 0) + 1);
      if (subject !== 'greedy') waited.push(ms - GENERATION_MS);
    }
  };
  const modest = subjects.filter((subject) => subject !== 'greedy').map(caller);
  const greedy = subjects.filter((subject) => subject === 'greedy').map(caller);
  await Promise.all(modest);
  const { highWater } = simulator.counters().tts;
  simulator.configure({ latency: { firstByteMs: 0 } }); // finishes the rest of the queue quickly
  await Promise.all(greedy);
  return { waited: waited.sort((a, b) => a - b), served, highWater };
}

const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)] ?? 0;

test('one subject with two hundred requests makes ten others wait at most twice as long', async (t) => {
  const without = await waits(t, MODEST, 4_000);
  const beside = await waits(t, [...GREEDY, ...MODEST], 5_000);
  const [alone, together] = [median(without.waited), median(beside.waited)];
  t.ok(together <= 2 * alone, `${Math.round(alone)} ms without, ${Math.round(together)} ms beside the greedy one`);
  t.ok(beside.waited.length > 30, 'enough of them were served to tell');
  t.ok((beside.served.get('greedy') ?? 0) > 0, 'and the greedy one too');
  t.strictSame([without.highWater, beside.highWater], [LIMIT, LIMIT], 'never more than the plan');
});
