import { inspect } from 'node:util';
import { test } from 'tap';
import { Secret } from '../../src/config/secret.ts';

test('a secret prints as [secret] in every way, and reveals its value only on request', async (t) => {
  const secret = new Secret('hidden-value');
  const printed = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect({ secret }, { depth: 9, showHidden: true }),
    inspect(secret, { customInspect: false, showHidden: true }),
    Object.entries(secret).join(),
  ];
  for (const text of printed) t.notMatch(text, /hidden-value/);
  t.equal(String(secret), '[secret]');
  t.equal(JSON.stringify(secret), '"[secret]"');
  t.equal(secret.reveal(), 'hidden-value');
});
