import { test } from 'tap';
import { readSessionFilter } from '../../../src/management/admin/session-filter.ts';

test('sessions are filtered by client app, by subject, by both or not at all', async (t) => {
  t.strictSame(readSessionFilter({}), { client: null, subject: null });
  t.strictSame(readSessionFilter({ client: 'web' }), { client: 'web', subject: null });
  t.strictSame(readSessionFilter({ subject: 'ann' }), { client: null, subject: 'ann' });
  t.strictSame(readSessionFilter({ client: 'web', subject: 'ann' }), { client: 'web', subject: 'ann' });
});

test('a filter that would show everybody, or is invalid, is refused by name', async (t) => {
  const refused: readonly [query: object, message: RegExp][] = [
    [{ clients: 'web' }, /by "client" and "subject" only/],
    [{ client: '' }, /"client" must be a string, given once/],
    [{ client: ['web', 'ios'] }, /"client" must be a string, given once/],
    [{ subject: '' }, /"subject" must be a string, given once/],
  ];
  for (const [query, message] of refused)
    t.throws(() => readSessionFilter(query), { code: 'invalid_request', message }, JSON.stringify(query));
});
