import fc from 'fast-check';
import { test } from 'tap';
import type { ContentRules } from '../../../../src/policy/content.ts';
import { readTtsMessage } from '../../../../src/proxy/websocket/protocols/tts-message.ts';

const RULES: ContentRules = {
  models: ['sonic-3'],
  voices: ['v1'],
  languages: ['en'],
  formats: ['wav'],
  maxTranscript: 5,
};

const NAMES =
  'model_id transcript voice id mode embedding output_format container encoding sample_rate bit_rate context_id cancel continue flush language locale'.split(
    ' ',
  );

test('no message makes it throw: nothing would catch that, and the process would end', async (t) => {
  const name = fc.constantFrom(...NAMES, ...NAMES.map((one) => one.toUpperCase()));
  const leaf = fc.constantFrom<unknown>('en', 'de-DE', 'v1', '', 7, true, null);
  const { message } = fc.letrec<{ message: object; value: unknown }>((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(leaf, { maxLength: 2 }), tie('message')),
    message: fc.dictionary(name, tie('value'), { maxKeys: 6 }),
  }));
  const seen = new Set<string>();
  fc.assert(
    fc.property(message, (fields) => {
      const read = readTtsMessage(Buffer.from(JSON.stringify(fields)), RULES);
      seen.add(read.kind === 'refused' ? read.problem.code : read.kind);
    }),
    { numRuns: 3000 },
  );
  t.ok(seen.has('invalid_request') && seen.has('content_not_allowed'));
});
