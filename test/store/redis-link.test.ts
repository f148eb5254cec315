import { test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import { Problem } from '../../src/errors/problems.ts';
import { createRedisLink, type RedisLink } from '../../src/store/redis/redis-link.ts';
import type { StoreCall } from '../../src/store/store-call.ts';
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

test('an answer that a busy process has not read yet is in time', async (t) => {
  const server = await redisServer(t);
  const link = await linked(server.url.reveal());
  t.teardown(() => link.close());
  await ask(link);
  const asked = ask(link);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * TIMEOUT_MS);
  t.equal(await asked, 'answered');
});

test('what fails together is one failure; three after each other leave Redis alone for a moment', async (t) => {
  const server = await redisServer(t);
  const way = await slowRelay(t, server.port);
  const outcomes: StoreCall['outcome'][] = [];
  const link = await linked(way.url, ({ outcome }) => outcomes.push(outcome));
  t.teardown(() => link.close());
  const together = (): Promise<readonly string[]> => Promise.all(Array.from({ length: 50 }, () => ask(link)));

  way.delayMs = 2 * TIMEOUT_MS;
  t.strictSame(new Set(await together()), new Set(['store_unavailable']));
  way.delayMs = 0;
  await new Promise((resolve) => setTimeout(resolve, 2 * TIMEOUT_MS)); // nothing overtakes what is on its way
  t.strictSame(new Set(await together()), new Set(['answered']), 'one hitch, and it goes on');

  way.delayMs = 2 * TIMEOUT_MS;
  outcomes.length = 0;
  for (let i = 0; i < 4; i += 1) t.equal(await ask(link), 'store_unavailable');
  t.strictSame(outcomes, ['timeout', 'timeout', 'timeout', 'left_alone']);
  way.delayMs = 0;
  t.equal(link.state, 'away');
  while (link.state !== 'up') await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(await ask(link), 'answered');
});
