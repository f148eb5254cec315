import { test } from 'tap';
import type { Grant } from '../../src/config/grant.ts';
import { mintBody } from '../../src/upstream/mint-body.ts';

test('both fields are always present and every grant is named', async (t) => {
  t.equal(mintBody(['tts'], 60).toString(), '{"grants":{"tts":true,"stt":false,"agent":false},"expires_in":60}');
  t.equal(
    mintBody(['agent', 'stt'], 3_600).toString(),
    '{"grants":{"tts":false,"stt":true,"agent":true},"expires_in":3600}',
  );
  t.equal(mintBody(['tts'], 60), mintBody(['tts'], 60), 'built once');
});

test('nothing that Cartesia would have to guess is ever sent', async (t) => {
  t.throws(() => mintBody([], 60), { code: 'internal_error' });
  for (const seconds of [0, -1, 3_601, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => mintBody(['tts'], seconds), { code: 'internal_error' }, String(seconds));
  }
  t.throws(() => mintBody(['admin' as Grant], 60), { code: 'internal_error' });
  t.throws(() => mintBody(['tts', '__proto__' as Grant], 60), { code: 'internal_error' });
});

test('bodies stay right for more combinations than are cached', async (t) => {
  for (let seconds = 1; seconds <= 400; seconds++) {
    t.equal(JSON.parse(mintBody(['stt'], seconds).toString()).expires_in, seconds);
  }
});
