import { test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { readMintRequest } from '../../src/tokens/mint-request.ts';

test('a valid mint request is read', async (t) => {
  const nothing = { grants: null, expiresInSeconds: null, isSingleUse: false };
  t.strictSame(readMintRequest({}), nothing);
  t.strictSame(readMintRequest({ grants: null, expires_in: null, single_use: null }), nothing);
  t.strictSame(readMintRequest({ single_use: true }), { ...nothing, isSingleUse: true });
  for (const seconds of [1, 3600])
    t.strictSame(readMintRequest({ expires_in: seconds }), { ...nothing, expiresInSeconds: seconds });
  t.strictSame(readMintRequest({ grants: { tts: true, stt: null, agent: false }, expires_in: 60 }), {
    grants: { tts: true, stt: null, agent: false },
    expiresInSeconds: 60,
    isSingleUse: false,
  });
});

const REFUSED: readonly [string, unknown, RegExp][] = [
  ['no body', undefined, /body/],
  ['null', null, /body/],
  ['an array', [], /body/],
  ['text', 'a', /body/],
  ['true', true, /body/],
  ['a number as text', { expires_in: '60' }, /"expires_in"/],
  ['true instead of a number', { expires_in: true }, /"expires_in"/],
  ['a fraction', { expires_in: 1.5 }, /"expires_in"/],
  ['zero', { expires_in: 0 }, /"expires_in"/],
  ['a negative lifetime', { expires_in: -1 }, /"expires_in"/],
  ['more than an hour', { expires_in: 3601 }, /"expires_in"/],
  ['infinity', { expires_in: Number.POSITIVE_INFINITY }, /"expires_in"/],
  ['an unknown field', { ttl: 60 }, /"grants", "expires_in" and "single_use"/],
  ['text for single_use', { single_use: 'true' }, /"single_use"/],
  ['a number for single_use', { single_use: 1 }, /"single_use"/],
  ['a list of grants', { grants: ['tts'] }, /"grants"/],
  ['grants as text', { grants: 'tts' }, /"grants"/],
  ['an unknown grant', { grants: { voices: true } }, /"tts", "stt" and "agent"/],
  ['a grant that is not a boolean', { grants: { tts: 1 } }, /"grants.tts"/],
];

test('an invalid mint request is refused with the name of the field and without its value', async (t) => {
  for (const [name, body, message] of REFUSED) {
    t.test(name, async (t) => {
      try {
        readMintRequest(body);
        t.fail('accepted');
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        t.equal(error.code, 'invalid_request');
        t.match(error.message, message);
      }
    });
  }
});
