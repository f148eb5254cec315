import fc from 'fast-check';
import { test } from 'tap';
import { createLineTime } from '../../src/telemetry/line-time.ts';

test('the time equals that of Date, whatever came before', async () => {
  let at = 0;
  const time = createLineTime(() => at);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 4_102_444_800_000 }), { minLength: 1 }), (times) =>
      times.every((one) => {
        at = one;
        const first = time();
        at = one + 1;
        return first === new Date(one).toISOString() && time() === new Date(one + 1).toISOString();
      }),
    ),
    { examples: [[[9, 99, 999]]] },
  );
});
