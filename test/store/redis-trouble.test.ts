import { test } from 'tap';
import { createRedisTrouble, reasonOf } from '../../src/store/redis/redis-trouble.ts';
import type { StoreCondition } from '../../src/store/store-condition.ts';

test('a lost connection is reported after a lesser trouble, which is reported again afterwards', async (t) => {
  const conditions: StoreCondition[] = [];
  const trouble = createRedisTrouble(
    (condition) => conditions.push(condition),
    () => 0,
  );
  for (let round = 0; round < 2; round += 1) {
    trouble.over();
    for (let times = 0; times < 2; times += 1) trouble.beside('NOPERM');
    for (const reason of ['CLOSED', 'ECONNREFUSED', 'CLOSED']) trouble.because(reason);
    t.strictSame(conditions.splice(0), [
      { state: 'up', reason: null },
      { state: 'up', reason: 'NOPERM' },
      { state: 'away', reason: 'CLOSED' },
      { state: 'away', reason: 'ECONNREFUSED' },
    ]);
  }
});

test('what is wrong beside, and known before Redis is usable, is reported once it is', async (t) => {
  const conditions: StoreCondition[] = [];
  const trouble = createRedisTrouble(
    (condition) => conditions.push(condition),
    () => 0,
  );
  for (const reason of ['SUBSCRIBE_REFUSED', 'NOPERM', 'HEARING_LOST']) trouble.beside(reason);
  trouble.noLonger('NOPERM');
  t.strictSame(conditions, []);
  trouble.over();
  trouble.beside('SUBSCRIBE_REFUSED');
  t.strictSame(conditions, [
    { state: 'up', reason: null },
    { state: 'up', reason: 'SUBSCRIBE_REFUSED' },
    { state: 'up', reason: 'HEARING_LOST' },
  ]);
});

test('a refusal by Redis is reported once, and again if it persists after Redis was away', async (t) => {
  const conditions: StoreCondition[] = [];
  const trouble = createRedisTrouble(
    (condition) => conditions.push(condition),
    () => 0,
  );
  trouble.over();
  for (let times = 0; times < 2; times += 1) trouble.refuses('MISCONF');
  trouble.because('CLOSED');
  trouble.over();
  for (let times = 0; times < 2; times += 1) trouble.refuses('MISCONF');
  for (let times = 0; times < 2; times += 1) trouble.takes();
  t.strictSame(conditions, [
    { state: 'up', reason: null },
    { state: 'up', reason: 'MISCONF' },
    { state: 'away', reason: 'CLOSED' },
    { state: 'up', reason: null },
    { state: 'up', reason: 'MISCONF' },
    { state: 'up', reason: null },
  ]);
});

test('an OpenSSL code is reported; text that may quote what was sent is not', async (t) => {
  const coded = (code: unknown): Error => Object.assign(new Error('the-password'), { code });
  t.equal(reasonOf(coded('ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE')), 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE');
  for (const code of ['the-password', 'A B', '/A', 7, undefined]) t.equal(reasonOf(coded(code)), 'OTHER');
});
