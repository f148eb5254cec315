import { once } from 'node:events';
import type { FastifyReply } from 'fastify';
import { type Test, test } from 'tap';
import { createLimits } from '../../src/limits/limits.ts';
import { grantedTo } from '../../src/proxy/granted-to.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { configOf, LEAST } from '../config/loading.ts';
import { principalOf } from '../tokens/principal.ts';
import { realResponse } from './real-response.ts';

const WAIT_MS = 5_000;

/** A client that waits for its answer, and an account with room for one request at a time. */
async function setUp(t: Test) {
  const limits = createLimits({
    config: await configOf({ ...LEAST, TTS_CONCURRENCY: '1' }),
    store: createMemoryStore(),
  });
  t.teardown(() => limits.close());
  const { response, answer } = await realResponse(t);
  answer.catch(() => {}); // the client that asked learns that its connection broke
  const leave = async (): Promise<void> => {
    response.destroy();
    await once(response, 'close');
  };
  const reply = { raw: response } as FastifyReply; // all that is used of it
  return {
    leases: limits.leases,
    reply,
    leave,
    ask: (waitMs: number) => limits.leases.ask('tts', principalOf(), waitMs),
  };
}

test('a client that is gone already holds no lease, and one that leaves waits no longer', async (t) => {
  const gone = await setUp(t);
  await gone.leave();
  t.equal(await grantedTo(gone.reply, gone.ask(WAIT_MS)), null);
  t.equal(gone.leases.open, 0);

  const leaving = await setUp(t);
  leaving.ask(0);
  const waited = grantedTo(leaving.reply, leaving.ask(WAIT_MS));
  while (leaving.leases.open < 2) await new Promise(setImmediate);
  await leaving.leave();
  t.equal(await waited, null);
  t.equal(leaving.leases.open, 1, 'that of the other one');
});

test('a lease that was granted is held until it is released, even if the client leaves', async (t) => {
  const { leases, reply, leave, ask } = await setUp(t);
  const lease = await grantedTo(reply, ask(0));
  await leave();
  t.equal(leases.open, 1, 'upstream may still be at work');
  lease?.release();
  t.equal(leases.open, 0);
});
