import { test } from 'tap';
import { Concurrency } from '../../src/simulator/concurrency.ts';

test('slots are granted up to the limit, which may change at any time', async (t) => {
  const limits = { tts: 1, stt: 1, agents: 1, ttsSockets: 10 };
  const concurrency = new Concurrency(() => limits);
  const first = concurrency.take('tts');
  t.ok(first);
  t.equal(concurrency.take('tts'), null);
  t.ok(concurrency.take('stt'), 'kinds are counted separately');
  limits.tts = 2;
  t.ok(concurrency.take('tts'));
  t.strictSame(concurrency.counters().tts, { active: 2, highWater: 2, granted: 2, refused: 1 });
});

test('releasing a slot twice frees only one', async (t) => {
  const concurrency = new Concurrency(() => ({ tts: 2, stt: 0, agents: 0, ttsSockets: 0 }));
  const first = concurrency.take('tts');
  concurrency.take('tts');
  first?.release();
  first?.release();
  t.equal(concurrency.counters().tts.active, 1);
});

test('a reset clears the history and keeps what is open', async (t) => {
  const concurrency = new Concurrency(() => ({ tts: 2, stt: 0, agents: 0, ttsSockets: 0 }));
  concurrency.take('tts');
  concurrency.take('tts')?.release();
  concurrency.take('stt');
  concurrency.reset();
  const { tts, stt } = concurrency.counters();
  t.strictSame(tts, { active: 1, highWater: 1, granted: 0, refused: 0 });
  t.strictSame(stt, { active: 0, highWater: 0, granted: 0, refused: 0 });
});
