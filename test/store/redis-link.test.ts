import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { type Test, test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import { Problem } from '../../src/errors/problems.ts';
import { createCertificate } from '../../src/simulator/certificate.ts';
import { createRedisLink, type RedisLink } from '../../src/store/redis/redis-link.ts';
import { nothing, redisScript } from '../../src/store/redis/redis-script.ts';
import type { StoreCall } from '../../src/store/store-call.ts';
import type { StoreCondition } from '../../src/store/store-condition.ts';
import { until } from '../e2e/limits-answers.ts';
import { redisServer } from './redis-server.ts';
import { slowRelay } from './slow-relay.ts';

const TIMEOUT_MS = 100;

async function linked(url: string, onCall: (call: StoreCall) => void = () => {}): Promise<RedisLink> {
  const link = await createRedisLink({ url: { current: new Secret(url) }, commandTimeoutMs: TIMEOUT_MS, onCall });
  await link.reached;
  return link;
}

const ask = (link: RedisLink): Promise<string> =>
  link.command('ping', 'PING').then(
    () => 'answered',
    (error: unknown) => (error instanceof Problem ? error.code : String(error)),
  );

test('an answer that arrived in time counts, even if a busy process reads it late', async (t) => {
  const server = await redisServer(t);
  const link = await linked(server.url.reveal());
  t.teardown(() => link.close());
  await ask(link);
  const asked = ask(link);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * TIMEOUT_MS);
  t.equal(await asked, 'answered');
});

test('a script that Redis does not know is made known, but not run, once its call has been given up', async (t) => {
  const server = await redisServer(t);
  const way = await slowRelay(t, server.port);
  const link = await linked(way.url);
  t.teardown(() => link.close());
  const script = redisScript("return redis.call('SET', KEYS[1], '1')", { read: nothing });
  way.delayMs = 2 * TIMEOUT_MS;
  await t.rejects(link.run('set', script, ['late'], []), { code: 'store_unavailable' });
  way.delayMs = 0;
  await new Promise((resolve) => setTimeout(resolve, 3 * TIMEOUT_MS)); // until Redis has said that it does not know it
  t.equal(await link.command('get', 'GET', 'late'), null);
  t.strictSame(await link.command('exists', 'SCRIPT', 'EXISTS', script.sha), [1]);
  await link.run('set', script, ['late'], []);
  t.equal(await link.command('get', 'GET', 'late'), '1');
});

test('simultaneous failures count once; after three in a row Redis is left alone for a moment', async (t) => {
  const server = await redisServer(t);
  const way = await slowRelay(t, server.port);
  const outcomes: StoreCall['outcome'][] = [];
  const link = await linked(way.url, ({ outcome }) => outcomes.push(outcome));
  t.teardown(() => link.close());
  const together = (): Promise<readonly string[]> => Promise.all(Array.from({ length: 50 }, () => ask(link)));

  way.delayMs = 2 * TIMEOUT_MS;
  t.strictSame(new Set(await together()), new Set(['store_unavailable']));
  way.delayMs = 0;
  await new Promise((resolve) => setTimeout(resolve, 2 * TIMEOUT_MS)); // replies still in transit arrive first
  t.strictSame(new Set(await together()), new Set(['answered']), 'after one hitch it goes on');

  way.delayMs = 2 * TIMEOUT_MS;
  outcomes.length = 0;
  for (let i = 0; i < 4; i += 1) t.equal(await ask(link), 'store_unavailable');
  t.strictSame(outcomes, ['timeout', 'timeout', 'timeout', 'left_alone']);
  way.delayMs = 0;
  t.equal(link.state, 'away');
  while (link.state !== 'up') await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(await ask(link), 'answered');
});

/** Collects the conditions that a link to this Redis reports. The link is closed with the test. */
async function conditionsOf(t: Test, url: string): Promise<StoreCondition[]> {
  const conditions: StoreCondition[] = [];
  const link = await createRedisLink({
    url: { current: new Secret(url) },
    commandTimeoutMs: TIMEOUT_MS,
    onCondition: (condition) => conditions.push(condition),
  });
  t.teardown(() => link.close());
  return conditions;
}

test('the reason why Redis cannot be reached is reported as one word, once for all attempts', async (t) => {
  const open = await redisServer(t);
  const locked = await redisServer(t, { password: 'the-password' });
  const down = await redisServer(t, { isDown: true });
  const tls = createServer(createCertificate(Date.now())).listen(0, '127.0.0.1');
  t.teardown(() => tls.close());
  await once(tls, 'listening');
  const { port: tlsPort } = tls.address() as AddressInfo; // a TCP server has a port
  const cases: readonly (readonly [url: string, reason: string])[] = [
    [`redis://:wrong@127.0.0.1:${locked.port}`, 'WRONGPASS'],
    [`redis://127.0.0.1:${locked.port}`, 'NOAUTH'],
    [`redis://127.0.0.1:${down.port}`, 'ECONNREFUSED'],
    [`rediss://localhost:${tlsPort}`, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    [`redis://127.0.0.1:${open.port}/99`, 'SELECT_REFUSED'],
  ];
  for (const [url, reason] of cases) {
    const conditions = await conditionsOf(t, url);
    await until(() => conditions.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 300)); // time for further attempts
    t.strictSame(conditions, [{ state: 'starting', reason }]);
  }
});

test('a link that is closed before Redis was reached does not report that as trouble', async (t) => {
  const server = await redisServer(t);
  const told: StoreCondition[] = [];
  const link = await createRedisLink({
    url: { current: server.url },
    onCondition: (condition) => told.push(condition),
  });
  await new Promise(setImmediate); // it connects
  await link.close();
  await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS)); // until the attempt has ended
  t.strictSame(told, []);
});

test('a user without permission to subscribe is reported once, and served', async (t) => {
  const server = await redisServer(t);
  const admin = await linked(server.url.reveal());
  t.teardown(() => admin.close());
  await admin.command('acl', 'ACL', 'SETUSER', 'deaf', 'on', '>pw', '~*', 'resetchannels', '+@all');
  const conditions: StoreCondition[] = [];
  const link = await createRedisLink({
    url: { current: new Secret(`redis://deaf:pw@127.0.0.1:${server.port}`) },
    onCondition: (condition) => conditions.push(condition),
  });
  t.teardown(() => link.close());
  for (const channel of ['one', 'two']) link.subscribe(channel, () => {});
  await link.reached;
  await until(() => conditions.some(({ reason }) => reason === 'SUBSCRIBE_REFUSED'));
  for (const channel of ['three', 'four']) link.subscribe(channel, () => {});
  t.equal(await ask(link), 'answered');
  t.equal(link.state, 'up');
  t.equal(conditions.filter(({ reason }) => reason === 'SUBSCRIBE_REFUSED').length, 1);
  t.notOk(conditions.some(({ state }) => state === 'away'));
});

test('each loss and return of Redis is reported', async (t) => {
  const server = await redisServer(t);
  const conditions = await conditionsOf(t, server.url.reveal());
  for (let times = 1; times <= 2; times += 1) {
    await until(() => conditions.at(-1)?.state === 'up');
    await server.kill();
    await until(() => conditions.some(({ reason }) => reason === 'ECONNREFUSED'));
    t.strictSame(conditions.splice(0), [
      { state: 'up', reason: null },
      { state: 'away', reason: 'CLOSED' },
      { state: 'away', reason: 'ECONNREFUSED' },
    ]);
    await server.start();
  }
});

test('a Redis that accepts calls without answering is away until it answers', async (t) => {
  const server = await redisServer(t);
  const way = await slowRelay(t, server.port);
  const conditions: StoreCondition[] = [];
  const link = await createRedisLink({
    url: { current: new Secret(way.url) },
    commandTimeoutMs: TIMEOUT_MS,
    onCondition: (condition) => conditions.push(condition),
  });
  t.teardown(() => link.close());
  await link.reached;
  way.delayMs = 2 * TIMEOUT_MS;
  for (let i = 0; i < 5; i += 1) await ask(link);
  way.delayMs = 0;
  await until(async () => (await ask(link)) === 'answered');
  t.strictSame(conditions, [
    { state: 'up', reason: null },
    { state: 'away', reason: 'UNANSWERED' },
    { state: 'up', reason: null },
  ]);
});

test('a Redis demoted to a copy is left for whatever its address leads to now', async (t) => {
  const [old, next] = await Promise.all([redisServer(t), redisServer(t)]);
  const way = await slowRelay(t, old.port);
  const conditions: StoreCondition[] = [];
  const link = await createRedisLink({
    url: { current: new Secret(way.url) },
    onCondition: (condition) => conditions.push(condition),
  });
  const operator = await linked(old.url.reveal());
  t.teardown(() => Promise.all([link.close(), operator.close()]));
  const heard: string[] = [];
  link.subscribe('news', (word) => heard.push(word));
  await link.reached;
  await operator.command('demote', 'REPLICAOF', '127.0.0.1', String(next.port));
  const write = (): Promise<string> =>
    link.command('write', 'SET', 'a', '1').then(
      () => 'written',
      (error: unknown) => (error instanceof Problem ? error.code : String(error)),
    );
  t.equal(await write(), 'store_unavailable');
  t.equal(link.state, 'up', 'reads are still served');
  way.port = next.port;
  await until(async () => (await write()) === 'written');
  await until(async () => (await link.command('say', 'PUBLISH', 'news', 'moved')) === 1);
  await until(() => heard.includes('moved'));
  t.equal(
    conditions.filter(({ reason }) => reason === 'READONLY').length,
    1,
    'reported once, however often it is refused',
  );
  t.strictSame(conditions.at(-1), { state: 'up', reason: null });
});

test('a full Redis is reported once, however often it is asked, and again when it has room', async (t) => {
  const server = await redisServer(t);
  const conditions: StoreCondition[] = [];
  const link = await createRedisLink({
    url: { current: server.url },
    onCondition: (condition) => conditions.push(condition),
  });
  const operator = await linked(server.url.reveal());
  t.teardown(() => Promise.all([link.close(), operator.close()]));
  await link.reached;
  const script = redisScript(`redis.call('SET', KEYS[1], '1')`, { read: nothing });
  const write = (): Promise<boolean> =>
    link.run('write', script, ['a'], []).then(
      () => true,
      () => false,
    );
  for (const memory of ['1', '0', '1', '0']) {
    await operator.command('fill', 'CONFIG', 'SET', 'maxmemory', memory);
    conditions.length = 0;
    for (let i = 0; i < 6; i += 1) {
      t.equal(await write(), memory === '0');
      t.equal(await ask(link), 'answered', 'it is not left alone');
    }
    t.strictSame(conditions, [{ state: 'up', reason: memory === '0' ? null : 'OOM' }]);
  }
});

test('the subscribing connection is reopened after the network has forgotten it', async (t) => {
  const server = await redisServer(t);
  const way = await slowRelay(t, server.port);
  const link = await linked(way.url);
  const speaker = await linked(server.url.reveal());
  t.teardown(() => Promise.all([link.close(), speaker.close()]));
  let heard = 0;
  link.subscribe('news', () => {
    heard += 1;
  });
  const isHeard = async (): Promise<boolean> => {
    await speaker.command('say', 'PUBLISH', 'news', 'word');
    return heard > 0;
  };
  await until(isHeard);
  way.forget();
  heard = 0;
  await until(isHeard);
  t.ok(heard > 0);
});

test('a database that does not exist counts as no Redis, and no other database is written to', async (t) => {
  const server = await redisServer(t);
  const link = await createRedisLink({ url: { current: new Secret(`${server.url.reveal()}/99`) } });
  t.teardown(() => link.close());
  let isReached = false;
  void link.reached.then(() => {
    isReached = true;
  });
  for (let i = 0; i < 20; i += 1) {
    t.equal(await ask(link), 'store_unavailable');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.notOk(isReached);
  const right = await linked(`${server.url.reveal()}/15`);
  t.teardown(() => right.close());
  t.equal(await ask(right), 'answered');
});
