import { inspect } from 'node:util';
import { test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import { createKeyRing } from '../../src/upstream/key-ring.ts';

function ring(keys: readonly string[], clock = { ms: 0 }) {
  return createKeyRing(
    keys.map((key) => new Secret(key)),
    { now: () => clock.ms, setAsideMs: 60_000 },
  );
}

function pick(keys: ReturnType<typeof ring>) {
  const key = keys.pick();
  if (key === null) throw new Error('no key');
  return key;
}

function positions(keys: ReturnType<typeof ring>, count: number): (number | undefined)[] {
  return Array.from({ length: count }, () => keys.pick()?.position);
}

test('keys are used in turn', async (t) => {
  t.strictSame(positions(ring(['a', 'b', 'c']), 7), [1, 2, 3, 1, 2, 3, 1]);
  t.strictSame(positions(ring(['a']), 3), [1, 1, 1]);
  t.equal(ring([]).pick(), null);
});

test('a refused key is set aside while others work, and returns after a minute', async (t) => {
  const clock = { ms: 0 };
  const keys = ring(['a', 'b', 'c'], clock);
  keys.refused(pick(keys));
  t.equal(keys.working, 2);
  t.strictSame(positions(keys, 4), [2, 3, 2, 3]);
  clock.ms = 59_999;
  t.strictSame(positions(keys, 2), [2, 3]);
  clock.ms = 60_000;
  t.equal(keys.working, 3);
  t.ok(positions(keys, 3).includes(1));
});

test('if every key is refused, the one refused longest ago is tried', async (t) => {
  const clock = { ms: 0 };
  const keys = ring(['a', 'b'], clock);
  for (const ms of [0, 10]) {
    clock.ms = ms;
    keys.refused(pick(keys));
  }
  t.equal(keys.working, 0);
  t.strictSame(positions(keys, 2), [1, 1]);
  clock.ms = 20;
  keys.refused(pick(keys));
  t.strictSame(positions(keys, 2), [2, 2]);
  const only = ring(['a']);
  only.refused(pick(only));
  t.equal(only.pick()?.position, 1, 'a single key is never withheld');
});

test('a key that upstream accepts again counts as working at once', async (t) => {
  const keys = ring(['a', 'b']);
  const key = pick(keys);
  keys.refused(key);
  keys.accepted(key);
  t.equal(keys.working, 2);
});

test('the headers carry the key, the version and nothing from a caller', async (t) => {
  const key = ring(['sk_car_x']).pick();
  t.strictSame(key?.headers('2026-03-01'), [
    'authorization',
    'Bearer sk_car_x',
    'cartesia-version',
    '2026-03-01',
    'content-type',
    'application/json',
    'accept',
    'application/json',
    'accept-encoding',
    'identity',
    'user-agent',
    'cartesia-broker',
  ]);
  t.equal(key?.headers('2026-03-01'), key?.headers('2026-03-01'), 'built once for each version');
});

test('callers who name many versions cannot make the ring grow without limit', async (t) => {
  const key = ring(['a']).pick();
  for (let day = 1; day <= 28; day++) key?.headers(`2026-01-${String(day).padStart(2, '0')}`);
  t.not(key?.headers('2026-01-28'), key?.headers('2026-01-28'), 'beyond the limit, built for each call');
  t.strictSame(key?.headers('2026-01-28').slice(0, 4), ['authorization', 'Bearer a', 'cartesia-version', '2026-01-28']);
});

test('a key cannot be printed by accident', async (t) => {
  const keys = ring(['sk_car_hidden']);
  const key = keys.pick();
  key?.headers('2026-03-01');
  const printed = `${inspect(keys, { depth: 9, showHidden: true, getters: true })} ${inspect(key, { depth: 9, showHidden: true, getters: true })} ${JSON.stringify([keys, key])} ${String(key)}`;
  t.notMatch(printed, /hidden/);
});

test('a key that no header can carry is refused at startup; the error gives its position, not its text', async (t) => {
  for (const bad of ['sk_car_two\nlines', 'sk car', 'sk_cär', '', 'sk\u0000']) {
    t.throws(() => ring(['good', bad]), { message: 'API key number 2 has characters that cannot be sent in a header' });
  }
});

test('a text that contains a key is recognized', async (t) => {
  const keys = ring(['sk_car_one', 'sk_car_two']);
  t.ok(keys.isRevealedBy('xx sk_car_two yy'));
  t.notOk(keys.isRevealedBy('sk_car_'));
});

test('renewed keys are used from now on; a key that stays keeps its state', async (t) => {
  const clock = { ms: 0 };
  const keys = ring(['sk_a', 'sk_b', 'sk_c'], clock);
  const began = pick(keys);
  keys.refused(pick(keys));
  keys.renew([new Secret('sk_b'), new Secret('sk_d')]);
  t.equal(keys.size, 2);
  t.equal(keys.working, 1, 'sk_b is still set aside');
  t.strictSame(positions(keys, 2), [2, 2]);
  clock.ms = 60_000;
  t.strictSame(positions(keys, 3), [1, 2, 1], 'it has the new position');

  t.equal(began.headers('2026-03-01')[1], 'Bearer sk_a', 'a call under way keeps its key');
  t.equal(keys.refused(began), false);
  t.equal(keys.working, 2, 'a refusal of a retired key affects no other');
});

test('a retired key is still recognized in a text', async (t) => {
  const keys = ring(['sk_car_0']);
  for (let n = 1; n <= 16; n += 1) keys.renew([new Secret(`sk_car_${n}`)]);
  for (const n of [0, 7, 16]) t.ok(keys.isRevealedBy(`"sk_car_${n}"`), String(n));
  keys.renew([new Secret('sk_car_last')]);
  t.notOk(keys.isRevealedBy('"sk_car_0"'), 'sixteen are remembered');
});

test('renewing with keys that no header can carry changes nothing', async (t) => {
  const keys = ring(['good']);
  t.throws(() => keys.renew([new Secret('fine'), new Secret('not good')]));
  t.equal(keys.size, 1);
  t.equal(pick(keys).headers('2026-03-01')[1], 'Bearer good');
});
