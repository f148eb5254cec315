import { randomUUID } from 'node:crypto';
import { test } from 'tap';
import { revocationsPage } from '../../../src/management/console/revocations-page.ts';

const shown = (changes: Partial<Parameters<typeof revocationsPage>[0]> = {}): string =>
  revocationsPage({
    revocations: [],
    clients: ['web', 'kiosk'],
    done: undefined,
    wish: { client: undefined, subject: undefined, token: undefined },
    ...changes,
  }).content.text;

/** Names and values of the hidden fields of the form that restores. */
const hiddenOf = (html: string): Record<string, string> => {
  const [, form = ''] = /action="\/console\/revocations\/restore".*?>(.*?)<\/form>/s.exec(html) ?? [];
  return Object.fromEntries(
    [...form.matchAll(/name="([a-z]+)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
  );
};

test('what is in force can be restored, by exactly the fields it was revoked with', async (t) => {
  const token = randomUUID();
  for (const [revocation, words, fields] of [
    [{ scope: 'everything' }, 'everybody', { scope: 'everything' }],
    [{ scope: 'client', client: 'web' }, 'client app web', { scope: 'client', client: 'web' }],
    [
      { scope: 'subject', client: 'web', subject: 'a"b' },
      'subject a&quot;b of web',
      { scope: 'subject', client: 'web', subject: 'a&quot;b' },
    ],
    [{ scope: 'token', token, untilMs: 0 }, `access token <code>${token}</code>`, { scope: 'token', token }],
  ] as const) {
    const html = shown({ revocations: [revocation] });
    t.match(html, `<td>${words}</td>`);
    t.strictSame(hiddenOf(html), fields);
  }
  t.match(
    shown({ revocations: [{ scope: 'token', token, untilMs: 0 }] }),
    '1970-01-01T00:00:00.000Z',
    'and until when',
  );
});

test('the forms are filled in from the address, and choose no client app by themselves', async (t) => {
  const empty = shown();
  t.notMatch(empty, /selected/);
  t.match(empty, /<select name="client" required>\s*<option value="">choose one/);
  t.notMatch(shown({ wish: { client: 'removed', subject: 'x', token: undefined } }), /selected/);
  const filled = shown({ wish: { client: 'kiosk', subject: '"><b>', token: ['a', 'b'] } });
  t.match(filled, '<option value="kiosk" selected>');
  t.match(filled, 'name="subject" value="&quot;&gt;&lt;b&gt;"');
  t.match(filled, 'name="token" value=""');
});
