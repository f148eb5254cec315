import { test } from 'tap';
import { createSubjectHash } from '../../src/telemetry/subject-hash.ts';

test('the same subject is recognised, and cannot be read', async (t) => {
  const hash = createSubjectHash();
  const one = hash('web', 'alice@example.com');
  t.match(one, /^[\w-]{16}$/);
  t.equal(hash('web', 'alice@example.com'), one);
  t.not(hash('web', 'bob@example.com'), one);
  t.not(hash('ios', 'alice@example.com'), one, 'a subject belongs to its client app');
});

test('two ways to cut one text into client app and subject are two subjects', async (t) => {
  const hash = createSubjectHash();
  t.not(hash('a', 'bc'), hash('ab', 'c'));
  t.not(hash('1', '1:x'), hash('11', ':x'));
});

test('nobody can look a hash up in a list: another process has another key', async (t) => {
  t.not(createSubjectHash()('web', 'alice'), createSubjectHash()('web', 'alice'));
  const key = Buffer.alloc(32, 7);
  t.equal(createSubjectHash(key)('web', 'alice'), createSubjectHash(key)('web', 'alice'));
});

test('what is remembered is bounded, and what was forgotten is the same again', async (t) => {
  const hash = createSubjectHash();
  const one = hash('web', 'alice');
  for (let i = 0; i < 10_001; i += 1) hash('web', `user-${i}`);
  t.equal(hash('web', 'alice'), one);
});
