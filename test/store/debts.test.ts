import { test } from 'tap';
import { createDebts } from '../../src/store/debts.ts';

test('a failed call is repeated, a successful one is not', async (t) => {
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

test('failed calls are repeated without being asked to', async (t) => {
  const debts = createDebts();
  const awake = setInterval(() => {}, 1_000); // the timer of the debts does not keep the process alive
  for (const which of ['one debt', 'and one that came after all were paid']) {
    const { promise: heard, resolve: hear } = Promise.withResolvers<void>();
    let times = 0;
    debts.add(async () => {
      times += 1;
      if (times === 1) throw new Error('away');
      hear();
    });
    await heard;
    await new Promise(setImmediate);
    t.strictSame([times, debts.open], [2, 0], which);
  }
  clearInterval(awake);
});

test('a call is not repeated while it is still unanswered', async (t) => {
  const debts = createDebts();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  let said = 0;
  debts.add(() => {
    said += 1;
    return answered;
  });
  debts.pay();
  debts.pay();
  await new Promise(setImmediate);
  t.strictSame([said, debts.open], [1, 1]);
  answer();
  await new Promise(setImmediate);
  t.strictSame([said, debts.open], [1, 0]);
});

test('calls are repeated a hundred at a time, and no more than that while the store fails', async (t) => {
  const debts = createDebts();
  let said = 0;
  let isAway = true;
  for (let i = 0; i < 250; i += 1)
    debts.add(async () => {
      said += 1;
      if (isAway) throw new Error('away');
    });
  debts.pay();
  await new Promise(setImmediate);
  t.strictSame([said, debts.open], [100, 250]);
  isAway = false;
  debts.pay();
  await new Promise(setImmediate);
  t.strictSame([said, debts.open], [350, 0], 'then all of them, without a pause');
});

test('each debt has at most one call in progress', async (t) => {
  const debts = createDebts({ againMs: 20 });
  const awake = setInterval(() => {}, 1_000); // the timer of the debts does not keep the process alive
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const said = [0, 0, 0];
  for (const which of said.keys())
    debts.add(async () => {
      said[which] = (said[which] ?? 0) + 1;
      begin();
      throw new Error('away');
    });
  await begun;
  await new Promise(setImmediate);
  clearInterval(awake);
  t.strictSame(said, [1, 1, 1]);
});
