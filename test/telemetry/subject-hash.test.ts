import { test } from 'tap';
import { createSubjectHash } from '../../src/telemetry/subject-hash.ts';

test('the same subject always has the same hash, which does not reveal it', async (t) => {
  const hash = createSubjectHash();
  const one = hash('web', 'alice@example.com');
  t.match(one, /^[\w-]{16}$/);
  t.equal(hash('web', 'alice@example.com'), one);
  t.not(hash('web', 'bob@example.com'), one);
  t.not(hash('ios', 'alice@example.com'), one, 'a subject belongs to its client app');
});

test('no two pairs of client app and subject are joined into the same text', async (t) => {
  const hash = createSubjectHash();
  t.not(hash('a', 'bc'), hash('ab', 'c'));
  t.not(hash('1', '1:x'), hash('11', ':x'));
});

test('a hash cannot be looked up in a table: every process has its own key', async (t) => {
  t.not(createSubjectHash()('web', 'alice'), createSubjectHash()('web', 'alice'));
  const key = Buffer.alloc(32, 7);
  t.equal(createSubjectHash(key)('web', 'alice'), createSubjectHash(key)('web', 'alice'));
});

test('the cache is bounded, and a forgotten subject gets the same hash again', async (t) => {
  const hash = createSubjectHash();
  const one = hash('web', 'alice');
  for (let i = 0; i < 10_001; i += 1) hash('web', `user-${i}`);
  t.equal(hash('web', 'alice'), one);
});
