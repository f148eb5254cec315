import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'tap';
import { createClosing } from '../../src/broker/closing.ts';

test('what was opened last is closed first, one after the other, and only once', async (t) => {
  const closing = createClosing();
  const seen: string[] = [];
  closing.add(() => void seen.push('first'));
  closing.add(async () => {
    seen.push('second begins');
    await delay(5);
    seen.push('second ends');
  });
  closing.add(() => void seen.push('third'));
  await Promise.all([closing.close(), closing.close()]);
  await closing.close();
  t.strictSame(seen, ['third', 'second begins', 'second ends', 'first']);
});

test('what fails to close does not keep the rest open, and the first failure is reported', async (t) => {
  const closing = createClosing();
  const seen: string[] = [];
  closing.add(() => void seen.push('first'));
  closing.add(() => Promise.reject(new Error('second')));
  closing.add(() => {
    throw new Error('third');
  });
  await t.rejects(closing.close(), { message: 'third' });
  t.strictSame(seen, ['first']);
});
