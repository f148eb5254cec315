import { test } from 'tap';
import { elapsed } from '../../src/client/device-clock.ts';

const CASES = [
  ['nothing happens', { wall: 100, steady: 100 }, 100],
  ['the phone sleeps, and the steady clock with it', { wall: 3_600_000, steady: 100 }, 3_600_000],
  ['the clock is set back', { wall: -3_600_000, steady: 100 }, 100],
  ['the clock is set forward', { wall: 86_400_000, steady: 100 }, 86_400_000],
] as const;

test('the clock that moved further forward decides', async (t) => {
  for (const [what, later, expected] of CASES) t.equal(elapsed({ wall: 0, steady: 0 }, later), expected, what);
});
