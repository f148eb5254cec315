import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import t, { test } from 'tap';
import { createRedisStore } from '../../src/store/redis/redis-store.ts';
import { redisServer } from './redis-server.ts';
import { everyStore } from './stores.ts';

for (const { name, make } of everyStore(t)) {
  test(`${name}: a lone replica answers itself`, async (t) => {
    const { store } = await make(t);
    store.peers.answer((question) => `${question}!`);
    t.strictSame(await store.peers.ask('who'), {
      answers: [{ replica: store.replica, text: 'who!' }],
      silent: 0,
    });
  });
}

test('Redis: every replica is asked, each question gets its own answers, and replicas that left are not waited for', async (t) => {
  const server = await redisServer(t);
  const prefix = randomUUID();
  const open = async () => {
    const store = await createRedisStore({ url: { current: server.url }, prefix, commandTimeoutMs: 2_000 });
    t.teardown(() => store.close());
    await store.reached;
    store.peers.answer((question) => `${question} ${store.replica}`);
    return store;
  };
  const stores = await Promise.all([open(), open(), open()]);
  const [first, second, third] = stores;
  // A replica hears questions once its second connection has subscribed.
  while ((await first.peers.ask('ready')).answers.length < 3);
  const [a, b] = await Promise.all([first.peers.ask('a'), second.peers.ask('b')]);
  for (const [question, { answers, silent }] of Object.entries({ a, b })) {
    t.strictSame(answers.map(({ text }) => text).sort(), stores.map(({ replica }) => `${question} ${replica}`).sort());
    t.equal(silent, 0);
  }
  const stranger = new Redis(server.url.reveal());
  t.teardown(() => stranger.disconnect());
  for (const nonsense of ['', 'null', '{"number":1}']) {
    t.equal(await stranger.publish(`${prefix}:peers`, nonsense), 3);
    t.equal(await stranger.publish(`${prefix}:peer:${first.replica}`, nonsense), 1);
  }
  t.equal((await first.peers.ask('after nonsense')).answers.length, 3);
  await third.close();
  const startedMs = performance.now();
  const { answers } = await first.peers.ask('c');
  t.equal(answers.length, 2);
  t.equal(answers[0]?.replica, first.replica, 'its own answer comes first');
  t.ok(performance.now() - startedMs < 1_500);
  await server.kill();
  const alone = await first.peers.ask('d');
  t.strictSame(
    alone.answers.map(({ replica }) => replica),
    [first.replica],
    'without Redis it answers only itself',
  );
});
