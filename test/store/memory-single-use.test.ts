import { test } from 'tap';
import { createMemorySingleUse } from '../../src/store/memory-single-use.ts';
import { RESERVE_MS } from '../../src/store/single-use.ts';

test('a name can be used once, and is remembered beyond its expiry', async (t) => {
  let now = 0;
  const names = createMemorySingleUse(() => now);
  t.equal(await names.use('a', 'one', 60_000), true);
  t.equal(await names.use('a', 'one', 60_000), false);
  t.equal(await names.use('b', 'one', 60_000), true);
  now = 59_999 + RESERVE_MS;
  t.equal(await names.use('a', 'two', 60_000), false, 'the clock may be set back in between');
  now += 1;
  t.equal(await names.use('a', 'two', now + 60_000), true, 'by then the token itself is refused');
});

test('only the user of a name can give it back, and only once', async (t) => {
  const names = createMemorySingleUse(() => 0);
  await names.use('a', 'one', 60_000);
  await names.giveBack('a', 'two');
  t.equal(await names.use('a', 'two', 60_000), false);
  await names.giveBack('a', 'one');
  t.equal(await names.use('a', 'two', 60_000), true);
  await names.giveBack('a', 'one');
  t.equal(await names.use('a', 'three', 60_000), false);
});
