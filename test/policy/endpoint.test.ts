import { test } from 'tap';
import type { Grant } from '../../src/config/grant.ts';
import { checkEndpoint } from '../../src/policy/endpoint.ts';

test('an endpoint with a grant is open if both policy and credential include the grant', async (t) => {
  const cases: readonly [Grant, readonly Grant[], readonly Grant[] | null, boolean][] = [
    ['tts', ['tts'], null, true],
    ['tts', ['tts', 'stt'], ['tts'], true],
    ['tts', ['tts'], ['stt'], false],
    ['tts', ['tts'], [], false],
    ['tts', ['stt'], ['tts'], false],
    ['tts', ['stt'], null, false],
    ['stt', [], null, false],
    ['agent', ['agent'], ['agent'], true],
  ];
  for (const [grant, grants, limit, expected] of cases) {
    for (const reads of [true, false]) {
      t.match(
        checkEndpoint({ grant }, { grants, reads }, limit),
        expected ? { outcome: 'allowed' } : { outcome: 'denied', message: `"${grant}"` },
        JSON.stringify([grant, grants, limit]),
      );
    }
  }
});

test('an endpoint without a grant is open if the client app may read, to any of its credentials', async (t) => {
  for (const limit of [null, [], ['tts']] as const) {
    t.match(checkEndpoint({ grant: null }, { grants: [], reads: true }, limit), { outcome: 'allowed' });
    t.match(checkEndpoint({ grant: null }, { grants: ['tts', 'stt', 'agent'], reads: false }, limit), {
      outcome: 'denied',
      message: 'may not read',
    });
  }
});
