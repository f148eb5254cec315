import { test } from 'tap';
import { createDebts } from '../../src/limits/debts.ts';

test('what has failed is said again, and what was heard is not', async (t) => {
  const debts = createDebts();
  let isAway = true;
  const heard: string[] = [];
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  for (const name of ['one', 'two'])
    debts.add(async () => {
      if (isAway) throw new Error('away');
      heard.push(name);
      if (name === 'two') end();
    });
  debts.pay();
  debts.pay();
  await new Promise(setImmediate);
  t.equal(debts.open, 2);
  isAway = false;
  debts.pay();
  await over;
  await new Promise(setImmediate);
  t.strictSame([heard, debts.open], [['one', 'two'], 0]);
});

test('nobody has to ask for it: it is said again by itself', async (t) => {
  const debts = createDebts();
  const { promise: heard, resolve: hear } = Promise.withResolvers<void>();
  let times = 0;
  debts.add(async () => {
    times += 1;
    if (times === 1) throw new Error('away');
    hear();
  });
  const awake = setInterval(() => {}, 1_000); // its own clock keeps no process alive
  await heard;
  clearInterval(awake);
  t.equal(times, 2);
});

test('a store that is back is told a hundred at a time, and no more than that while it fails', async (t) => {
  const debts = createDebts();
  let said = 0;
  for (let i = 0; i < 250; i += 1)
    debts.add(async () => {
      said += 1;
      throw new Error('away');
    });
  debts.pay();
  await new Promise(setImmediate);
  t.strictSame([said, debts.open], [100, 250]);
});
