import { test } from 'tap';
import { createMemorySingleUse } from '../../src/store/memory-single-use.ts';
import { RESERVE_MS } from '../../src/store/single-use.ts';

/** Clocks that the test moves: `pass` both, `set` only the time of day. */
function setUp() {
  const clock = { monotonic: 0, epoch: Date.UTC(2026, 10, 30) };
  return {
    clock,
    names: createMemorySingleUse({ now: () => clock.monotonic, epochNow: () => clock.epoch }),
    pass(ms: number): void {
      clock.monotonic += ms;
      clock.epoch += ms;
    },
  };
}

test('a name can be used once, and is remembered beyond its expiry', async (t) => {
  const { clock, names, pass } = setUp();
  const untilMs = clock.epoch + 60_000;
  t.equal(await names.use('a', 'one', untilMs), true);
  t.equal(await names.use('a', 'one', untilMs), false);
  t.equal(await names.use('b', 'one', untilMs), true);
  pass(59_999 + RESERVE_MS);
  t.equal(await names.use('a', 'two', untilMs), false, 'the clock may be set back in between');
  pass(1);
  t.equal(await names.use('a', 'two', clock.epoch + 60_000), true, 'by then the token itself is refused');
});

test('a name is single-use on either side of a clock that is set', async (t) => {
  for (const byMs of [-7_200_000, -60_000, 60_000, 7_200_000]) {
    const { clock, names, pass } = setUp();
    const before = clock.epoch + 60_000;
    await names.use('before', 'one', before);
    clock.epoch += byMs;
    t.equal(await names.use('before', 'two', before), false, `${byMs}`);
    const after = clock.epoch + 60_000;
    await names.use('after', 'one', after);
    pass(30_000);
    t.equal(await names.use('after', 'two', after), false, `${byMs}`);
  }
});

test('names are forgotten although one of them, of before the clock was set back, is valid for years', async (t) => {
  const { clock, names, pass } = setUp();
  await names.use('before', 'one', clock.epoch + 60_000);
  clock.epoch -= 10 * 365 * 86_400_000;
  const of = (i: number): string => `${i % 2_000}`; // each comes again once it is forgotten
  let refused = 0;
  for (let i = 0; i < 10_000; i += 1) {
    if (!(await names.use(of(i), 'one', clock.epoch + 60_000))) refused += 1;
    pass(1_000);
  }
  t.equal(refused, 0);
});

test('only the user of a name can give it back, and only once', async (t) => {
  const { clock, names } = setUp();
  const untilMs = clock.epoch + 60_000;
  await names.use('a', 'one', untilMs);
  await names.giveBack('a', 'two');
  t.equal(await names.use('a', 'two', untilMs), false);
  await names.giveBack('a', 'one');
  t.equal(await names.use('a', 'two', untilMs), true);
  await names.giveBack('a', 'one');
  t.equal(await names.use('a', 'three', untilMs), false);
});
