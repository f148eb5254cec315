// Whatever answers at Redis's address: no reply ends the process, and no odd reply is taken for an answer.
import { test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import { createLimits } from '../../src/limits/limits.ts';
import { createRedisStore } from '../../src/store/redis/redis-store.ts';
import type { Store } from '../../src/store/store.ts';
import { configOf, LEAST } from '../config/loading.ts';
import { ask, pool } from './lease-ask.ts';
import { type Answering, greeting, lookAlike } from './look-alike.ts';

const ODD = {
  nil: '$-1\r\n',
  'nil of the third protocol': '_\r\n',
  'no list': '*-1\r\n',
  'an empty list': '*0\r\n',
  'a number': ':1\r\n',
  'a fraction': ',1.5\r\n',
  OK: '+OK\r\n',
  'a list of one text': '*1\r\n$1\r\nx\r\n',
  'a list with nils in it': '*3\r\n$1\r\nx\r\n$-1\r\n$-1\r\n',
  'a list in a list': '*1\r\n*1\r\n$-1\r\n',
  'a map': '%1\r\n+a\r\n+b\r\n',
  'an empty push': '>0\r\n',
  'a push of nil': '>1\r\n_\r\n',
  'a push without a channel': '>1\r\n$9\r\nsubscribe\r\n',
  'a message of nobody': '>2\r\n$7\r\nmessage\r\n$-1\r\n',
  'a web page': 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n',
} as const;

/** Where the odd reply occurs. */
const PLACES: Readonly<Record<string, (odd: string) => Answering>> = {
  'to everything': (odd) => () => odd,
  'to all but the greeting': (odd) => (command, args) => greeting(command, args) ?? odd,
  'to a subscription': (odd) => (command, args) =>
    command === 'subscribe' ? odd : (greeting(command, args) ?? '+OK\r\n'),
  'in the older protocol': (odd) => (command, args) => {
    if (command === 'hello') return "-ERR unknown command 'HELLO'\r\n";
    if (command === 'subscribe') return '*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n';
    return command === 'info' ? greeting(command, args) : odd;
  },
  'behind an answer': (odd) => (command, args) => (greeting(command, args) ?? '+OK\r\n') + odd,
};

const LINE = { name: 'characters', isOfSubject: true, window: 'day', limit: 10 } as const;

/** Every store call with a result, and its outcome. Background calls that may fail silently are left out. */
async function askAll(store: Store): Promise<ReadonlyMap<string, unknown>> {
  const rules = pool(1);
  const leases = store.leases('tts');
  const booking = { id: 'one', lines: [LINE], subject: 'ann', amount: 1 };
  const asked: Readonly<Record<string, () => unknown>> = {
    acquire: () => leases.acquire(rules, ask('web/ann')),
    release: () => leases.release(rules, ['id']),
    beat: () => leases.beat(rules, 'replica', [], ['id']),
    view: () => leases.view(rules),
    book: () => store.budgets.book('web', booking),
    consume: () => store.budgets.consume('web', booking),
    rate: () => store.rates?.hit('name', 1_000),
    list: () => store.revocations.list(),
    usage: () => store.usage.list(10),
    use: () => store.singleUse.use('name', 'one', Date.now() + 1_000),
  };
  const answers = Object.entries(asked).map(async ([name, question]) => {
    try {
      return [name, await question()] as const;
    } catch (error) {
      return [name, error] as const;
    }
  });
  return new Map(await Promise.all(answers));
}

for (const [place, answering] of Object.entries(PLACES)) {
  test(`an odd reply ${place} does not end the process`, async (t) => {
    const config = await configOf({ ...LEAST, TTS_CONCURRENCY: '1' });
    for (const [what, odd] of Object.entries(ODD)) {
      const server = await lookAlike(t, answering(odd));
      const store = await createRedisStore({ url: { current: new Secret(server.url) }, prefix: 'p' });
      // Runs the background calls too: beats and polls of revocations.
      const limits = createLimits({ config, store });
      for (let round = 0; round < 5; round += 1) {
        for (const [name, answer] of await askAll(store)) {
          const isProblem = answer instanceof Error && Reflect.get(answer, 'code') === 'store_unavailable';
          if (isProblem) continue;
          t.notOk(answer instanceof Error, `${what}: ${name} gives ${String(answer)}`);
          if (name === 'use' || (odd === ODD['an empty list'] && (name === 'list' || name === 'usage'))) continue;
          t.fail(`${what}: ${name} was taken for an answer: ${JSON.stringify(answer)}`);
        }
        const { sessions, silent } = await limits.allSessions.list({ client: null, subject: null });
        t.strictSame([sessions, silent], [[], 0]);
        await new Promise((resolve) => setTimeout(resolve, 30)); // it reconnects
      }
      t.ok((store.rates?.replicas ?? 0) >= 1);
      await limits.close();
      await store.close();
    }
  });
}
