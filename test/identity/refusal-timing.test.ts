// The time of a refusal must not reveal how close a guess was.
import { test } from 'tap';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { createIdentity } from '../../src/identity/chain.ts';
import { clientConfig } from './client-config.ts';
import { factsOf } from './request-facts.ts';

const key = createAppKey();
const ROUNDS = 4_000;

/** Differs from the key only in its last one or two characters. */
const nearMiss = `${key.slice(0, -2)}${key.endsWith('AA') ? 'BB' : 'AA'}`;

const refusals = {
  'no credential': factsOf({}),
  Basic: factsOf({ authorization: 'Basic dXNlcjpwYXNz' }),
  'an empty bearer': factsOf({ authorization: 'Bearer ' }),
  'an unknown key': factsOf({ 'x-api-key': createAppKey() }),
  'the prefix of a key, another secret': factsOf({ 'x-api-key': `${key.slice(0, 20)}${createAppKey().slice(20)}` }),
  'a key but for its end': factsOf({ 'x-api-key': nearMiss }),
  'the digest of a key': factsOf({ 'x-api-key': appKeyDigest(key) }),
};

test('every refusal takes about the same time, far within network noise', async (t) => {
  const others = Array.from({ length: 1_000 }, () => appKeyDigest(createAppKey()));
  const identity = createIdentity({
    clients: [clientConfig({ name: 'web', auth: { keys: [...others, appKeyDigest(key)] } })],
  });
  t.teardown(() => identity.close());
  const times = new Map(Object.keys(refusals).map((name) => [name, [] as number[]]));
  // Interleaved, so that other load on the machine affects all of them alike.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, facts] of Object.entries(refusals)) {
      const start = process.hrtime.bigint();
      const answer = identity.authenticate(facts);
      times.get(name)?.push(Number(process.hrtime.bigint() - start) / 1_000);
      if (answer instanceof Promise || answer.outcome !== 'refused') t.fail(`${name} was not refused at once`);
    }
  }
  const medians = new Map([...times].map(([name, all]) => [name, median(all)]));
  t.comment(Object.fromEntries(medians));
  const spread = Math.max(...medians.values()) - Math.min(...medians.values());
  t.ok(spread < 50, `all medians within 50 µs: ${spread.toFixed(1)} µs apart`);

  const unknown = medians.get('an unknown key') ?? Number.NaN;
  for (const name of ['the prefix of a key, another secret', 'a key but for its end']) {
    const ratio = (medians.get(name) ?? Number.NaN) / unknown;
    t.ok(ratio > 0.5 && ratio < 2, `${name} takes as long as an unknown key: ${ratio.toFixed(2)} times`);
  }
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
