import { test } from 'tap';
import { Clock } from '../../src/simulator/clock.ts';

test('the clock is its source plus the time it was advanced', async (t) => {
  const clock = new Clock(() => 1_000);
  clock.advance(500);
  clock.advance(-100);
  t.equal(clock.now(), 1_400);
  t.equal(clock.offsetMs, 400);
});

test('advancing the clock fires the timers that are due, in order, and no others', async (t) => {
  const clock = new Clock();
  t.teardown(() => clock.stop());
  const fired: string[] = [];
  clock.after(300_000, () => fired.push('five minutes'));
  clock.after(60_000, () => fired.push('one minute'));
  clock.after(600_000, () => fired.push('ten minutes'));
  clock.advance(299_000);
  t.strictSame(fired, ['one minute']);
  clock.advance(1_000);
  t.strictSame(fired, ['one minute', 'five minutes']);
});

test('a cancelled timer does not fire, nor does any on a stopped clock', async (t) => {
  const clock = new Clock();
  let fired = 0;
  const cancel = clock.after(10, () => {
    fired += 1;
  });
  clock.after(10, () => {
    fired += 1;
  });
  cancel();
  clock.advance(5);
  clock.stop();
  clock.advance(1_000);
  t.equal(fired, 0);
});

test('a timer also fires on its own when it is due', async (t) => {
  const clock = new Clock();
  // The timer of the clock does not keep the process alive, so something else has to.
  const alive = setInterval(() => {}, 1_000);
  t.teardown(() => clearInterval(alive));
  await t.resolves(new Promise<void>((resolve) => void clock.after(1, resolve)), 'fired');
});

test('a timer may start another one while the clock is being advanced', async (t) => {
  const clock = new Clock();
  t.teardown(() => clock.stop());
  const fired: string[] = [];
  clock.after(100, () => {
    fired.push('first');
    clock.after(100, () => fired.push('second'));
  });
  clock.advance(150);
  t.strictSame(fired, ['first']);
  clock.advance(150);
  t.strictSame(fired, ['first', 'second']);
});

test('a timer for longer than the timers of Node know does not fire at once', async (t) => {
  const clock = new Clock();
  t.teardown(() => clock.stop());
  const days = 86_400_000;
  let fired = 0;
  for (const ms of [30 * days, Number.MAX_SAFE_INTEGER]) {
    clock.after(ms, () => {
      fired += 1;
    });
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(fired, 0);
  clock.advance(30 * days);
  t.equal(fired, 1);
});
