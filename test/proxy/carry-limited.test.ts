// What a request holds while it waits to be carried, with a carrier and a checked request made by the test.
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import { type Test, test } from 'tap';
import { errors } from '../../src/errors/plugin.ts';
import { Problem } from '../../src/errors/problems.ts';
import { createLimits, type Limits } from '../../src/limits/limits.ts';
import { noCompilers } from '../../src/listener/no-compilers.ts';
import type { Carrier } from '../../src/proxy/carrier.ts';
import { carryLimited } from '../../src/proxy/carry-limited.ts';
import type { CheckedRequest } from '../../src/proxy/checked-request.ts';
import { Pause } from '../../src/proxy/pause.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { emptyRecord } from '../../src/telemetry/request-record.ts';
import { ENDPOINTS } from '../../src/upstream/endpoints.ts';
import { API_KEY, configOf, KEY_HASH } from '../config/loading.ts';
import { clientConfig } from '../identity/client-config.ts';
import { principalOf } from '../tokens/principal.ts';

const CONFIG = `
upstream: { api_key: ${API_KEY}, concurrency: { tts: 1 } }
clients:
  web: { auth: { keys: ["${KEY_HASH}"] }, limits: { quota: { characters: { subject: 10/day } } } }
`;
const ANN = principalOf({ subject: 'ann' });
/** Her whole budget. */
const CHARACTERS = 10;

interface Options {
  readonly prepare: (checked: CheckedRequest) => CheckedRequest | Promise<CheckedRequest>;
  readonly carry: Carrier['carry'];
  readonly store?: Store;
  /** What is asked for. */
  readonly path?: string;
  /** Whether it is looked at that it has its lease and its budget when it is prepared; by default it is. */
  readonly isLookedAt?: boolean;
  readonly config?: string;
}

async function setUp(t: Test, { prepare, carry, store = createMemoryStore(), ...props }: Options) {
  const { path = '/tts/bytes', isLookedAt = true, config: text = CONFIG } = props;
  const config = await configOf({ BROKER_CONFIG: `${t.testdir({ 'broker.yaml': text })}/broker.yaml` });
  const limits: Limits = createLimits({ config, store });
  const endpoint = ENDPOINTS.find((one) => one.path === path);
  if (endpoint === undefined) throw new TypeError('no such endpoint');
  const checked: CheckedRequest = {
    endpoint,
    target: path,
    version: '2026-03-01',
    body: { content: Buffer.from('{}'), contentType: null, length: null },
    contextId: null,
    settle: () => t.fail('it has not been carried'),
  };
  const pause: Carrier['pause'] = (response, ms) => new Pause(response, ms, () => {});
  const carrier: Carrier = { carry, pause, open: 0, cut() {}, async close() {} };
  const app = Fastify({ schemaController: noCompilers });
  t.teardown(() => Promise.all([app.close(), limits.close()]));
  await app.register(errors);
  app.decorateRequest('record');
  app.decorateRequest('admission', null);
  app.addHook('onRequest', async (request) => {
    request.record = emptyRecord();
    request.admission = { principal: ANN, client: clientConfig() };
  });
  const prepareHeld = (): CheckedRequest | Promise<CheckedRequest> => {
    if (!isLookedAt) return prepare(checked);
    t.equal(limits.leases.open, 1, 'it has its lease');
    t.throws(() => limits.quotas.book('characters', ANN, 1), { code: 'quota_exceeded' }, 'and all of the budget');
    return prepare(checked);
  };
  app.post('/', (request, reply) =>
    carryLimited({ carrier, limits, endpoint, request, reply, amount: CHARACTERS, prepare: prepareHeld }),
  );
  return { app, limits };
}

test('a request that cannot be sent gives back its lease and budget, and its client is told why', async (t) => {
  const refuse = (): never => {
    throw new Problem('internal_error');
  };
  const cases: Readonly<Record<string, Options>> = {
    'nothing can carry it': { prepare: (checked) => checked, carry: refuse },
    'nothing can carry it, once it is read': { prepare: async (checked) => checked, carry: refuse },
    'it cannot be read': { prepare: async () => refuse(), carry: () => ({ cut() {} }) },
  };
  for (const [why, options] of Object.entries(cases))
    for (const isWaiting of [false, true]) {
      const { app, limits } = await setUp(t, options);
      const other = isWaiting ? limits.leases.ask('tts', { ...ANN, subject: 'bob' }, 0) : null;
      const answer = app.inject({ method: 'POST', url: '/' });
      if (other !== null) {
        while (limits.leases.open < 2) await new Promise(setImmediate);
        other.cancel();
      }
      t.match((await answer).json(), { error_code: 'internal_error' }, why);
      t.equal(limits.leases.open, 0, why);
      await t.resolves(async () => limits.quotas.book('characters', ANN, CHARACTERS), why);
    }
});

test('a request without budget does not wait for its turn', async (t) => {
  const store = createMemoryStore();
  const { budgets } = store;
  const { app, limits } = await setUp(t, {
    prepare: () => {
      throw new TypeError('it may not go');
    },
    carry: () => ({ cut() {} }),
    store: { ...store, budgets: { ...budgets, book: async (...given) => budgets.book(...given) } },
  });
  limits.leases.ask('tts', { ...ANN, subject: 'bob' }, 0);
  await limits.quotas.book('characters', ANN, CHARACTERS);
  const startedMs = performance.now();
  const answer = await app.inject({ method: 'POST', url: '/' });
  t.match(answer.json(), { error_code: 'quota_exceeded' });
  t.ok(performance.now() - startedMs < limits.leases.waits.http / 2);
  t.equal(limits.leases.open, 1, 'the other request’s');
});

test('a request revoked while upstream has no room is not sent again', async (t) => {
  let sent = 0;
  let settled = 0;
  const { promise: takenBack, resolve: takeBack } = Promise.withResolvers<void>();
  const { app, limits } = await setUp(t, {
    prepare: (checked) => ({
      ...checked,
      settle() {
        settled += 1;
      },
    }),
    carry(_request, _reply, checked) {
      sent += 1;
      t.equal(checked.takeBack?.(300), true);
      checked.settle({ audioBytes: 0, outcome: 'refused' });
      takeBack();
      return { cut() {} };
    },
  });
  const answer = app.inject({ method: 'POST', url: '/' });
  await takenBack;
  await limits.revocations.add({ scope: 'subject', client: ANN.client, subject: ANN.subject });
  t.match((await answer).json(), { error_code: 'token_revoked' });
  t.strictSame([sent, settled, limits.leases.open], [1, 1, 0]);
  await t.resolves(async () => limits.quotas.book('characters', ANN, CHARACTERS), 'its budget is restored');
});

test('a request that waits for another try can be ended, during its pause and while it waits for a lease', async (t) => {
  for (const isForLease of [false, true]) {
    let settled = 0;
    const { promise: takenBack, resolve: takeBack } = Promise.withResolvers<void>();
    const { app, limits } = await setUp(t, {
      prepare: (checked) => ({
        ...checked,
        settle() {
          settled += 1;
        },
      }),
      carry(_request, _reply, checked) {
        setImmediate(() => {
          t.equal(checked.takeBack?.(isForLease ? 0 : 1_000), true);
          checked.settle({ audioBytes: 0, outcome: 'refused' });
          takeBack();
        });
        return { cut: () => t.fail('it is not being carried') };
      },
    });
    const answer = app.inject({ method: 'POST', url: '/' });
    await takenBack;
    const other = limits.leases.ask('tts', { ...ANN, subject: 'bob' }, 0);
    while (isForLease && limits.leases.open < 2) await sleep(1);
    const [session] = limits.sessions.list();
    t.equal(limits.sessions.kill(session?.id ?? ''), true);
    t.match((await answer).json(), { error_code: 'token_revoked' });
    other.cancel();
    t.strictSame([settled, limits.leases.open, limits.sessions.open], [1, 0, 0]);
    await t.resolves(async () => limits.quotas.book('characters', ANN, CHARACTERS), 'its budget is restored');
  }
});

/** A store over a network: it answers when `open` resolves. */
function distant(open: Promise<void>): Store {
  const store = createMemoryStore();
  const { budgets } = store;
  return {
    ...store,
    budgets: {
      ...budgets,
      async book(...given) {
        await open;
        return budgets.book(...given);
      },
    },
  };
}

test('what nothing limits sets off at once, and holds nothing', async (t) => {
  for (const path of ['/voices', '/stt', '/audio/transcriptions']) {
    const { app, limits } = await setUp(t, {
      path,
      isLookedAt: false,
      prepare: (checked) => ({ ...checked, settle() {} }),
      carry(_request, reply, checked) {
        t.equal(limits.leases.open, 0, path);
        t.equal(checked.takeBack?.(0), false, path);
        reply.send('carried');
        return { cut() {} };
      },
    });
    t.equal((await app.inject({ method: 'POST', url: '/' })).body, 'carried', path);
  }
});

test('who is refused a budget gives back the lease, and who is refused a lease the budget', async (t) => {
  const never = (): never => {
    throw new TypeError('it may not go');
  };
  for (const open of [null, Promise.resolve()]) {
    const { app, limits } = await setUp(t, {
      prepare: never,
      carry: never,
      ...(open === null ? {} : { store: distant(open) }),
    });
    const booking = await limits.quotas.book('characters', ANN, CHARACTERS);
    t.match((await app.inject({ method: 'POST', url: '/' })).json(), { error_code: 'quota_exceeded' });
    t.equal(limits.leases.open, 0);
    booking.settle(0);

    limits.leases.ask('tts', { ...ANN, subject: 'bob' }, 0);
    const answer = app.inject({ method: 'POST', url: '/' });
    while (limits.leases.open < 2) await new Promise(setImmediate);
    limits.leases.refuseWaits(new Problem('concurrency_limited'));
    t.match((await answer).json(), { error_code: 'concurrency_limited' });
    t.equal(limits.leases.open, 1, 'that of the other one');
    await t.resolves(async () => limits.quotas.book('characters', ANN, CHARACTERS), 'its budget is whole');
  }
});

test('a client that leaves while its form is opened is not carried, and holds nothing', async (t) => {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const { app, limits } = await setUp(t, {
    async prepare(checked) {
      await opened;
      return checked;
    },
    carry: () => t.fail('nobody waits for an answer') as never,
  });
  const left = Promise.withResolvers<void>();
  app.addHook('onRequest', async (_request, reply) => {
    reply.raw.on('close', () => left.resolve());
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const client = new AbortController();
  const answer = fetch(url, { method: 'POST', signal: client.signal });
  while (limits.leases.open < 1) await new Promise(setImmediate);
  client.abort();
  await t.rejects(answer);
  await left.promise;
  open();
  while (limits.leases.open > 0) await new Promise(setImmediate);
  await t.resolves(async () => limits.quotas.book('characters', ANN, CHARACTERS), 'its budget is whole');
});

test('who is refused both is told of the budget, since trying again would not help', async (t) => {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  let isDistant = false;
  const store = createMemoryStore();
  const { budgets } = store;
  const never = (): never => {
    throw new TypeError('it may not go');
  };
  const { app, limits } = await setUp(t, {
    prepare: never,
    carry: never,
    store: {
      ...store,
      budgets: {
        ...budgets,
        async book(...given) {
          if (isDistant) await opened;
          return budgets.book(...given);
        },
      },
    },
  });
  await limits.quotas.book('characters', ANN, CHARACTERS);
  limits.leases.ask('tts', { ...ANN, subject: 'bob' }, 0);
  isDistant = true;
  const answer = app.inject({ method: 'POST', url: '/' });
  while (limits.leases.open < 2) await new Promise(setImmediate);
  limits.leases.refuseWaits(new Problem('concurrency_limited'));
  open();
  t.match((await answer).json(), { error_code: 'quota_exceeded' });
});

test('who leaves while the store is asked or a lease waited for is not carried, and holds nothing', async (t) => {
  for (const waitsFor of ['budget', 'lease'] as const) {
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    if (waitsFor === 'lease') open();
    let prepared = 0;
    const { app, limits } = await setUp(t, {
      prepare() {
        prepared += 1;
        throw new Problem('internal_error');
      },
      carry: () => ({ cut() {} }),
      store: distant(opened),
    });
    const left = Promise.withResolvers<void>();
    app.addHook('onRequest', async (_request, reply) => {
      reply.raw.on('close', () => left.resolve());
    });
    const others = waitsFor === 'lease' ? 1 : 0;
    if (others === 1) limits.leases.ask('tts', { ...ANN, subject: 'bob' }, 0);
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const client = new AbortController();
    const answer = fetch(url, { method: 'POST', signal: client.signal });
    while (limits.leases.open < others + 1) await new Promise(setImmediate);
    client.abort();
    await t.rejects(answer);
    await left.promise;
    open();
    while (limits.leases.open > others) await new Promise(setImmediate);
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
    t.equal(prepared, 0, waitsFor);
    await t.resolves(async () => limits.quotas.book('characters', ANN, CHARACTERS), `${waitsFor}: its budget is whole`);
  }
});

test('what was waited for is held until it is over, and sent again only while there is time', async (t) => {
  for (const open of [null, Promise.resolve()])
    for (const isWaiting of [false, true]) {
      let end = (): unknown => t.fail('it is carried');
      const { promise: carried, resolve: isCarried } = Promise.withResolvers<CheckedRequest>();
      const { app, limits } = await setUp(t, {
        prepare: (checked) => ({ ...checked, settle() {} }),
        carry(_request, reply, checked) {
          reply.hijack();
          end = () => reply.raw.end('carried');
          isCarried(checked);
          return { cut() {} };
        },
        ...(open === null ? {} : { store: distant(open), isLookedAt: false }),
      });
      const other = isWaiting ? limits.leases.ask('tts', { ...ANN, subject: 'bob' }, 0) : null;
      const answer = app.inject({ method: 'POST', url: '/' });
      if (other !== null) {
        while (limits.leases.open < 2) await new Promise(setImmediate);
        other.cancel();
      }
      const checked = await carried;
      for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
      t.equal(limits.leases.open, 1, 'its lease');
      t.equal(limits.sessions.open, 1, 'the operator sees it');
      t.equal(checked.takeBack?.(limits.leases.waits.http + 1), false, 'longer than it may wait');
      t.match(await limits.leases.view(), { tts: { loweredTo: 1 } }, 'Cartesia has less room than configured');
      checked.settle({ audioBytes: 0, outcome: 'answered' });
      t.strictSame([limits.leases.open, limits.sessions.open], [0, 0]);
      end();
      t.equal((await answer).body, 'carried');
    }
});

test('a budget alone is asked for without a lease', async (t) => {
  for (const open of [null, Promise.resolve()]) {
    const { app } = await setUp(t, {
      config: CONFIG.replace(', concurrency: { tts: 1 }', ''),
      isLookedAt: false,
      prepare: (checked) => ({ ...checked, settle() {} }),
      carry(_request, reply, checked) {
        t.equal(checked.takeBack?.(0), false);
        reply.send('carried');
        return { cut() {} };
      },
      ...(open === null ? {} : { store: distant(open) }),
    });
    t.equal((await app.inject({ method: 'POST', url: '/' })).body, 'carried');
  }
});

test('the lease of what was broken off is kept for a moment, since Cartesia still counts it', async (t) => {
  const { app, limits } = await setUp(t, {
    prepare: (checked) => ({ ...checked, settle() {} }),
    carry(_request, reply, checked) {
      reply.send('a part');
      checked.settle({ audioBytes: 0, outcome: 'aborted' });
      return { cut() {} };
    },
  });
  const startedMs = performance.now();
  await app.inject({ method: 'POST', url: '/' });
  t.equal(limits.sessions.open, 0, 'but it is no session any more');
  while (limits.leases.open > 0) await new Promise(setImmediate);
  t.ok(performance.now() - startedMs > 200);
});

test('who leaves before another try asks for nothing more, and gives back the budget at once', async (t) => {
  const { promise: takenBack, resolve: isTakenBack } = Promise.withResolvers<void>();
  const { promise: left, resolve: isLeft } = Promise.withResolvers<void>();
  const { app, limits } = await setUp(t, {
    prepare: (checked) => ({ ...checked, settle() {} }),
    carry(_request, reply, checked) {
      reply.raw.on('close', isLeft);
      t.equal(checked.takeBack?.(1_000), true);
      checked.settle({ audioBytes: 0, outcome: 'refused' });
      isTakenBack();
      return { cut() {} };
    },
  });
  const client = new AbortController();
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const answer = fetch(url, { method: 'POST', signal: client.signal });
  await takenBack;
  limits.leases.ask('tts', { ...ANN, subject: 'bob' }, 5_000);
  client.abort();
  await t.rejects(answer);
  await left;
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  await t.resolves(async () => limits.quotas.book('characters', ANN, CHARACTERS));
  t.equal(limits.leases.open, 1, 'that of the other one');
});
