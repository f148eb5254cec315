import { randomUUID } from 'node:crypto';
import { test } from 'tap';
import { readRevocation, requireKnownClient } from '../../../src/management/admin/revocation-body.ts';

const NOW = 1_000_000;
const TOKEN = randomUUID();

test('each scope has its own fields, and a token is revoked for as long as it could live', async (t) => {
  const taken: readonly [body: object, expected: object][] = [
    [{ scope: 'everything' }, { scope: 'everything' }],
    [
      { scope: 'client', client: 'web' },
      { scope: 'client', client: 'web' },
    ],
    [
      { scope: 'subject', client: 'web', subject: 'ann' },
      { scope: 'subject', client: 'web', subject: 'ann' },
    ],
    [
      { scope: 'token', token: TOKEN.toUpperCase() },
      { scope: 'token', token: TOKEN, untilMs: NOW + 3_600_000 },
    ],
  ];
  for (const [body, expected] of taken) t.strictSame(readRevocation(body, NOW), expected);
});

test('a body that would revoke nobody, or the wrong caller, is refused by its field', async (t) => {
  const refused: readonly [body: unknown, message: RegExp][] = [
    ['everything', /^The body must be a JSON object\.$/],
    [null, /^The body must be a JSON object\.$/],
    [[{ scope: 'everything' }], /^The body must be a JSON object\.$/],
    [{}, /"scope" must be/],
    [{ scope: 'all' }, /"scope" must be/],
    [{ scope: 'toString' }, /"scope" must be/],
    [{ scope: ['client'] }, /"scope" must be/],
    [{ scope: 'client' }, /"client" must be a string of 1 to 512 characters/],
    [{ scope: 'client', client: '' }, /"client" must be a string of 1 to 512 characters/],
    [{ scope: 'client', client: 7 }, /"client" must be a string of 1 to 512 characters/],
    [{ scope: 'client', client: 'x'.repeat(513) }, /"client" must be a string of 1 to 512 characters/],
    [{ scope: 'everything', client: 'web' }, /must have exactly the fields scope\./],
    [{ scope: 'client', client: 'web', subject: 'ann' }, /must have exactly the fields scope, client\./],
    [{ scope: 'subject', client: 'web' }, /"subject" must be a string of 1 to 512 characters/],
    [{ scope: 'subject', client: 'web', subject: 'änn' }, /"subject" must be 1 to \d+ printable ASCII characters/],
    [{ scope: 'token', token: 'x.y.z' }, /"token" must be the id of an access token/],
    [{ scope: 'token', token: `${TOKEN}0` }, /"token" must be the id/],
    [{ scope: 'token', token: ` ${TOKEN}` }, /"token" must be the id/],
  ];
  for (const [body, message] of refused)
    t.throws(() => readRevocation(body, NOW), { code: 'invalid_request', message }, JSON.stringify(body));
});

test('a misspelt client app is refused', async (t) => {
  const known = ['web', 'ios'];
  for (const revocation of [
    { scope: 'client', client: 'Web' },
    { scope: 'subject', client: 'we', subject: 'ann' },
  ] as const)
    t.throws(() => requireKnownClient(revocation, known), { code: 'invalid_request', message: /: web, ios\.$/ });
  t.doesNotThrow(() => requireKnownClient({ scope: 'client', client: 'ios' }, known));
  t.doesNotThrow(() => requireKnownClient({ scope: 'everything' }, known));
});
