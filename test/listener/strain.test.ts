import { test } from 'tap';
import { oldSpaceLimit, strainOf, watchStrain } from '../../src/listener/strain.ts';

const CALM = { heap: 0.3, resident: 0.3, lateMs: 5 };

test('memory of either kind counts as short from 80 % until it falls below 70 %', async (t) => {
  t.equal(strainOf(CALM, null), null);
  for (const kind of ['heap', 'resident'] as const) {
    t.equal(strainOf({ ...CALM, [kind]: 0.79 }, null), null, kind);
    t.equal(strainOf({ ...CALM, [kind]: 0.8 }, null), 'memory');
    t.equal(strainOf({ ...CALM, [kind]: 0.7 }, 'memory'), 'memory');
    t.equal(strainOf({ ...CALM, [kind]: 0.69 }, 'memory'), null);
    t.equal(strainOf({ ...CALM, [kind]: 0.75 }, 'event_loop'), null);
  }
});

test('the event loop counts as blocked if a check comes a second late; short memory takes precedence', async (t) => {
  t.equal(strainOf({ ...CALM, lateMs: 999 }, null), null);
  t.equal(strainOf({ ...CALM, lateMs: 1_000 }, null), 'event_loop');
  t.equal(strainOf({ ...CALM, heap: 0.9, lateMs: 5_000 }, null), 'memory');
});

test('the heap limit is the one the operator asked of Node, wherever that was set', async (t) => {
  const MIB = 2 ** 20;
  t.equal(oldSpaceLimit('--disable-sigusr1 --max-old-space-size=256', 448 * MIB), 256 * MIB);
  t.equal(oldSpaceLimit('--max_old_space_size=256 --import x', 448 * MIB), 256 * MIB);
  t.equal(oldSpaceLimit('--max-old-space-size 100 --max-old-space-size=200', 448 * MIB), 200 * MIB, 'the last counts');
  t.equal(oldSpaceLimit('--max-semi-space-size=16', 448 * MIB), 448 * MIB);
  t.equal(oldSpaceLimit('--max-old-space-size=9999', 448 * MIB), 448 * MIB, 'V8’s own limit is lower');
});

test('memory that cannot be read, because no file descriptor is left, keeps its last value', async (t) => {
  let asked = 0;
  const { promise: isAsked, resolve } = Promise.withResolvers<void>();
  t.intercept(process, 'constrainedMemory', { value: () => 1_000 });
  t.intercept(process.memoryUsage, 'rss', {
    value() {
      asked += 1;
      if (asked === 3) resolve();
      if (asked > 1) throw Object.assign(new Error('uv_resident_set_memory'), { code: 'EMFILE' });
      return 900;
    },
  });
  const told: (string | null)[] = [];
  const watch = watchStrain({ everyMs: 5, onChange: (strain) => told.push(strain) });
  t.teardown(() => watch.stop());
  const holds = setInterval(() => {}, 1_000); // the watch itself does not keep the process alive
  await isAsked;
  clearInterval(holds);
  t.strictSame(told, ['memory']);
});

test('a blocked loop is reported once, and its recovery only after it has lasted for a while', async (t) => {
  const told: (string | null)[] = [];
  const { promise: isBack, resolve } = Promise.withResolvers<void>();
  const watch = watchStrain({
    everyMs: 5,
    onChange(strain) {
      told.push(strain);
      if (strain === null) resolve();
    },
  });
  t.teardown(() => watch.stop());
  const holds = setInterval(() => {}, 1_000); // the watch itself does not keep the process alive
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_100);
  await isBack;
  clearInterval(holds);
  t.strictSame(told, ['event_loop', null]);
});
