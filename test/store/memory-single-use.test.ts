import { test } from 'tap';
import { createMemorySingleUse } from '../../src/store/memory-single-use.ts';

test('a name is remembered for as long as it could be used, however many come after it', async (t) => {
  let now = 0;
  const names = createMemorySingleUse(() => now);
  t.equal(await names.use('short', 'one', 1_000), true);
  t.equal(await names.use('long', 'one', 60_000), true);
  now = 1_000;
  for (let i = 0; i < 2_000; i += 1) await names.use(`passing-${i}`, 'one', 60_000);
  t.equal(await names.use('long', 'two', 60_000), false);
  t.equal(await names.use('short', 'two', 1_000), true, 'by then it is refused anyhow');
});
