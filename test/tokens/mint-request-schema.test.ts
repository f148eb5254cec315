import fc from 'fast-check';
import { test } from 'tap';
import { Value } from 'typebox/value';
import { Problem } from '../../src/errors/problems.ts';
import { MintRequestSchema, readMintRequest } from '../../src/tokens/mint-request.ts';

function isTaken(body: unknown): boolean {
  try {
    readMintRequest(body);
    return true;
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}

const seconds = fc.oneof(fc.integer({ min: -2, max: 3700 }), fc.double(), fc.string(), fc.boolean(), fc.constant(null));
const flag = fc.oneof(fc.boolean(), fc.constant(null), fc.string(), fc.integer());
const grants = fc.oneof(
  fc.dictionary(fc.constantFrom('tts', 'stt', 'agent', 'voices'), flag, { noNullPrototype: true }),
  fc.constant(null),
  fc.string(),
  fc.array(flag),
);
const bodies = fc.oneof(
  fc.record({ grants, expires_in: seconds, single_use: flag }, { requiredKeys: [] }),
  fc.record({ grants, expires_in: seconds, more: fc.anything() }, { requiredKeys: [] }),
  fc.jsonValue(),
);

test('the route accepts exactly the bodies that its documented schema accepts', async (t) => {
  fc.assert(
    fc.property(bodies, (body) => isTaken(body) === Value.Check(MintRequestSchema, body)),
    { numRuns: 5000 },
  );
  for (const body of [{ single_use: true }, { expires_in: 3600 }]) t.ok(Value.Check(MintRequestSchema, body));
  t.ok(isTaken({ grants: { tts: true }, expires_in: 60 }) && !isTaken({ grants: { tts: 1 } }), 'both verdicts occur');
});
