import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { test } from 'tap';
import { KEY_SET_TIMING } from '../../../src/identity/jwt/key-set.ts';
import { type Handler, json, startIssuerServer } from './issuer-server.ts';
import { createKeySetHarness } from './key-set-harness.ts';
import { createSigningKey, type SigningKey } from './signing-key.ts';

const { cooldownMs, staleMs } = KEY_SET_TIMING;
const known = createSigningKey();
const successor = createSigningKey();

test('simultaneous callers share one fetch', async (t) => {
  const harness = await createKeySetHarness(t);
  harness.server.publish(known.jwk);
  const verdicts = await Promise.all(Array.from({ length: 100 }, () => harness.verdict(harness.freshToken(known))));
  t.strictSame(new Set(verdicts), new Set(['authenticated']));
  t.equal(harness.fetches(), 1);
  t.strictSame(harness.events, [{ event: 'key_set_loaded', issuer: harness.server.issuer, keys: 1, isNews: true }]);
});

test('a flood of unknown keys causes one fetch per cool-down', async (t) => {
  const harness = await createKeySetHarness(t);
  harness.server.publish(known.jwk);
  await harness.warm();
  const flood = () =>
    Promise.all(
      Array.from({ length: 200 }, (_, i) => harness.verdict(harness.freshToken(successor, { kid: `random-${i}` }))),
    );
  for (let round = 1; round <= 3; round += 1) {
    t.strictSame(new Set(await flood()), new Set(['jwt_key_unknown']));
    t.equal(harness.fetches(), round + 1, 'one for the whole flood');
    t.strictSame(new Set(await flood()), new Set(['jwt_key_unknown']));
    t.equal(harness.fetches(), round + 1, 'within the cool-down: none');
    harness.advance(cooldownMs);
  }
});

test('a new key right after start is found at once', async (t) => {
  const harness = await createKeySetHarness(t);
  harness.server.publish(known.jwk);
  await harness.warm();
  harness.server.publish(successor.jwk, known.jwk);
  t.equal(await harness.verdict(harness.freshToken(successor)), 'authenticated');
});

test('a new key right after the first caller is found at once, and warm() then has nothing to fetch', async (t) => {
  const harness = await createKeySetHarness(t);
  harness.server.publish(known.jwk);
  t.equal(await harness.verdict(harness.freshToken(known)), 'authenticated', 'before warm() is called');
  await harness.warm();
  t.equal(harness.fetches(), 1);
  harness.server.publish(successor.jwk, known.jwk);
  t.equal(await harness.verdict(harness.freshToken(successor)), 'authenticated');
  t.equal(await harness.verdict(harness.freshToken(createSigningKey())), 'jwt_key_unknown');
  t.equal(harness.fetches(), 2, 'and from then on one per cool-down');
});

test('a rotated key is found after the cool-down, and a dropped one is no longer trusted', async (t) => {
  const harness = await createKeySetHarness(t);
  harness.server.publish(known.jwk);
  const seen = harness.freshToken(known);
  const answer = await harness.present(seen);
  t.equal(answer.outcome, 'authenticated');
  t.equal(await harness.verdict(harness.freshToken(successor)), 'jwt_key_unknown');
  harness.server.publish(successor.jwk, known.jwk);
  t.equal(await harness.verdict(harness.freshToken(successor)), 'jwt_key_unknown', 'still cooling down');
  harness.advance(cooldownMs);
  t.equal(await harness.verdict(harness.freshToken(successor)), 'authenticated');
  t.equal(await harness.present(seen), answer, 'the old key is still published: not even verified again');

  harness.server.publish(successor.jwk);
  harness.advance(cooldownMs);
  await harness.verdict(harness.freshToken(createSigningKey()));
  t.equal(await harness.verdict(seen), 'jwt_key_unknown', 'a token verified before is refused once its key is gone');
  t.equal(await harness.verdict(harness.freshToken(known)), 'jwt_key_unknown');
});

test('a key id that now belongs to another key does not keep old tokens valid', async (t) => {
  const harness = await createKeySetHarness(t);
  harness.server.publish(known.jwk);
  const seen = harness.freshToken(known);
  t.equal(await harness.verdict(seen), 'authenticated');
  harness.server.publish({ ...successor.jwk, kid: known.kid });
  t.equal(await harness.verdict(harness.freshToken(successor, { kid: known.kid })), 'authenticated');
  t.equal(await harness.verdict(seen), 'jwt_signature');
});

test('a key replaced without a new key id is looked for like an unknown one', async (t) => {
  for (const kid of [undefined, known.kid]) {
    const harness = await createKeySetHarness(t);
    const nameless = (key: SigningKey) => ({ ...key.jwk, kid });
    harness.server.publish(nameless(known));
    t.equal(await harness.verdict(harness.freshToken(known, { kid })), 'authenticated');
    t.equal(await harness.verdict(harness.freshToken(successor, { kid })), 'jwt_signature');
    harness.server.publish(nameless(successor));
    t.equal(await harness.verdict(harness.freshToken(successor, { kid })), 'jwt_signature', 'still cooling down');
    harness.advance(cooldownMs);
    t.equal(await harness.verdict(harness.freshToken(successor, { kid })), 'authenticated');
    t.equal(await harness.verdict(harness.freshToken(known, { kid })), 'jwt_signature', 'the old one is gone');
    t.equal(harness.fetches(), 3);
  }
});

test('a flood of bad signatures causes one fetch per cool-down, and is refused even while the issuer is down', async (t) => {
  const harness = await createKeySetHarness(t);
  harness.server.publish(known.jwk);
  await harness.warm();
  const flood = () =>
    Promise.all(Array.from({ length: 50 }, () => harness.verdict(harness.freshToken(successor, { kid: known.kid }))));
  for (let round = 1; round <= 2; round += 1) {
    t.strictSame(new Set(await flood()), new Set(['jwt_signature']));
    t.strictSame(new Set(await flood()), new Set(['jwt_signature']));
    t.equal(harness.fetches(), round + 1);
    harness.advance(cooldownMs);
  }
  await harness.server.close();
  t.strictSame(new Set(await flood()), new Set(['jwt_signature']));
  t.match(harness.events.at(-1), { event: 'key_set_failed' });
});

test('a key published twice is one key', async (t) => {
  const harness = await createKeySetHarness(t);
  const { alg: _, ...anyUse } = known.jwk;
  harness.server.publish(known.jwk, successor.jwk, known.jwk, anyUse);
  t.equal(await harness.verdict(harness.freshToken(known)), 'authenticated');
  t.match(harness.events, [{ event: 'key_set_loaded', keys: 2 }]);
  harness.server.publish({ ...successor.jwk, kid: known.kid }, known.jwk);
  t.equal(await harness.verdict(harness.freshToken(successor, { kid: 'other' })), 'jwt_key_unknown');
  t.equal(await harness.verdict(harness.freshToken(known)), 'jwt_key_ambiguous', 'two keys with the same id are two');
});

test('only changes are news: the first load, each new failure, and its end', async (t) => {
  const harness = await createKeySetHarness(t);
  const fail = (status: number) => harness.server.answer('/jwks', (_, response) => response.writeHead(status).end());
  const fetchAgain = async (): Promise<void> => {
    harness.advance(cooldownMs);
    await harness.present(harness.freshToken(successor));
  };
  fail(500);
  await fetchAgain();
  await fetchAgain();
  fail(404);
  await fetchAgain();
  harness.server.publish(known.jwk);
  harness.server.answer('/jwks', null);
  await fetchAgain();
  await fetchAgain();
  fail(404);
  await fetchAgain();
  await fetchAgain();
  harness.advance(staleMs);
  await fetchAgain();
  t.match(harness.events, [
    { reason: 'status_500', areKeysKnown: false, isNews: true },
    { reason: 'status_500', areKeysKnown: false, isNews: false },
    { reason: 'status_404', areKeysKnown: false, isNews: true },
    { event: 'key_set_loaded', isNews: true },
    { event: 'key_set_loaded', isNews: false },
    { reason: 'status_404', areKeysKnown: true, isNews: true },
    { reason: 'status_404', areKeysKnown: true, isNews: false },
    { reason: 'status_404', areKeysKnown: false, isNews: true },
  ]);
});

const failures: { name: string; reason: string | RegExp; handler: Handler }[] = [
  { name: 'silent', reason: 'timeout', handler: () => {} },
  { name: 'dripping', reason: 'timeout', handler: drip },
  {
    name: 'answering with an error',
    reason: 'status_500',
    handler: (_, response) => response.writeHead(500).end('{}'),
  },
  { name: 'answering nothing', reason: 'status_204', handler: (_, response) => response.writeHead(204).end() },
  {
    name: 'answering HTML',
    reason: 'not_json',
    handler: (_, response) =>
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>Login</title>'),
  },
  {
    name: 'compressing unasked',
    reason: 'not_json',
    handler: (_, response) =>
      response.setHeader('content-encoding', 'gzip').end(gzipSync(JSON.stringify({ keys: [successor.jwk] }))),
  },
  {
    name: 'hanging up',
    reason: /^(und_err_|econnreset)/,
    handler: (_, response) =>
      response.writeHead(200, { 'content-length': '1000' }).write('{"keys":[', () => response.destroy()),
  },
  {
    name: 'publishing keys of the wrong use only',
    reason: 'no_usable_key',
    handler: (_, response) =>
      json(response, {
        keys: [
          { ...successor.jwk, use: 'enc' },
          { kty: 'oct', k: 'AAAA', alg: 'HS256' },
        ],
      }),
  },
  { name: 'speaking no HTTP', reason: 'httpparsererror', handler: ({ socket }) => socket.end('220 ready\r\n\r\n') },
  { name: 'publishing no key', reason: 'no_usable_key', handler: (_, response) => json(response, { keys: [] }) },
  { name: 'publishing no set', reason: 'key_set_malformed', handler: (_, response) => json(response, [successor.jwk]) },
];

for (const { name, reason, handler } of failures) {
  // Long enough for the good response that comes first, even on a busy machine.
  const deadlineMs = reason === 'timeout' ? 1_000 : KEY_SET_TIMING.deadlineMs;
  test(`while the endpoint is ${name}, known keys stay in use and unknown ones are unavailable`, async (t) => {
    const harness = await createKeySetHarness(t, { timing: { deadlineMs } });
    harness.server.publish(known.jwk);
    const seen = harness.freshToken(known);
    t.equal(await harness.verdict(seen), 'authenticated');

    harness.server.answer('/jwks', handler);
    harness.advance(cooldownMs);
    const unknown = () => Promise.all(Array.from({ length: 50 }, () => harness.present(harness.freshToken(successor))));
    const answers = new Set((await unknown()).map((answer) => JSON.stringify(answer)));
    t.strictSame([...answers], ['{"outcome":"unavailable","reason":"key_set_unavailable"}']);
    t.match(harness.events.at(-1), { event: 'key_set_failed', reason });
    await unknown();
    t.equal(harness.fetches(), 2, 'one fetch for the whole cool-down');
    t.equal(await harness.verdict(harness.freshToken(known)), 'authenticated', 'a known key');
    t.equal(await harness.verdict(seen), 'authenticated', 'a token seen before');

    harness.server.answer('/jwks', null);
    harness.server.publish(successor.jwk);
    harness.advance(cooldownMs);
    t.equal(await harness.verdict(harness.freshToken(successor)), 'authenticated', 'it is back');
  });
}

test('while the issuer is down, known keys stay in use for the stale time and no longer', async (t) => {
  const harness = await createKeySetHarness(t);
  harness.server.publish(known.jwk);
  const seen = harness.freshToken(known);
  t.equal(await harness.verdict(seen), 'authenticated');
  await harness.server.close();
  harness.advance(staleMs - 1);
  t.equal(await harness.verdict(seen), 'authenticated');
  t.equal(await harness.verdict(harness.freshToken(known)), 'authenticated');
  harness.advance(1);
  t.equal(await harness.verdict(harness.freshToken(known)), 'key_set_unavailable');
  t.equal(await harness.verdict(seen), 'key_set_unavailable');
  t.match(harness.events.at(-1), { event: 'key_set_failed', reason: 'econnrefused' });

  await harness.server.reopen();
  harness.advance(cooldownMs);
  t.equal(await harness.verdict(seen), 'authenticated', 'it is back');
});

test('redirects are not followed', async (t) => {
  const other = await startIssuerServer();
  t.teardown(() => other.close());
  other.publish(known.jwk);
  for (const status of [301, 302, 303, 307, 308]) {
    const harness = await createKeySetHarness(t);
    harness.server.answer('/jwks', (_, response) => response.writeHead(status, { location: other.jwksUrl }).end());
    t.equal(await harness.verdict(harness.freshToken(known)), 'key_set_unavailable');
    t.match(harness.events, [{ event: 'key_set_failed', reason: `status_${status}` }]);
  }
  t.strictSame(other.requests, [], 'the other host receives no request');
});

test('the body of an error response is not waited for', async (t) => {
  const harness = await createKeySetHarness(t, { timing: { deadlineMs: 600_000 } });
  const cut = Promise.withResolvers<void>();
  harness.server.answer('/jwks', (_, response) => {
    response.on('close', cut.resolve);
    response.writeHead(500).write('this goes on');
  });
  t.equal(await harness.verdict(harness.freshToken(known)), 'key_set_unavailable');
  await cut.promise;
  t.match(harness.events, [{ event: 'key_set_failed', reason: 'status_500' }]);
});

test('the deadline also ends a fetch whose connection is still being made', async (t) => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket.on('error', () => {})));
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const { port } = silent.address() as AddressInfo;
  const harness = await createKeySetHarness(t, {
    jwt: () => ({ jwksUrl: `https://127.0.0.1:${port}/jwks` }),
    timing: { deadlineMs: 100 },
  });
  const asked = performance.now();
  t.equal(await harness.verdict(harness.freshToken(known)), 'key_set_unavailable');
  t.ok(performance.now() - asked < 5_000, 'the handshake, which nobody answers, may take ten seconds');
  t.match(harness.events, [{ event: 'key_set_failed', reason: 'timeout' }]);
});

test('an endless document is cut off', async (t) => {
  const harness = await createKeySetHarness(t);
  const total = 10 * 1_024 * 1_024;
  let sent = 0;
  const cut = Promise.withResolvers<void>();
  harness.server.answer('/jwks', (_, response) => {
    response.on('close', cut.resolve);
    const pump = () => {
      while (sent < total) {
        sent += 16_384;
        if (!response.write(' '.repeat(16_384))) return;
      }
      response.end(JSON.stringify({ keys: [known.jwk] }));
    };
    response.on('drain', pump);
    pump();
  });
  t.equal(await harness.verdict(harness.freshToken(known)), 'key_set_unavailable');
  t.match(harness.events, [{ event: 'key_set_failed', reason: 'too_large' }]);
  await cut.promise;
  t.ok(sent < total, `${sent} bytes were sent`);
});

test('an issuer that is down at start is found once it comes up, without a caller', async (t) => {
  const harness = await createKeySetHarness(t, { timing: { retryMs: 5 } });
  harness.server.publish(known.jwk);
  await harness.server.close();
  await harness.warm();
  t.equal(await harness.verdict(harness.freshToken(known)), 'key_set_unavailable');
  await harness.server.reopen();
  await harness.next('key_set_loaded');
  t.equal(await harness.verdict(harness.freshToken(known)), 'authenticated');
});

test('keys are refreshed in the background', async (t) => {
  const harness = await createKeySetHarness(t, { timing: { refreshMs: 5 } });
  harness.server.publish(known.jwk);
  const seen = harness.freshToken(known);
  t.equal(await harness.verdict(seen), 'authenticated');
  await harness.next('key_set_loaded');
  t.equal(await harness.verdict(seen), 'authenticated');
  harness.server.publish(successor.jwk);
  // The fetch in progress may still carry the old set; the one after it cannot.
  await harness.next('key_set_loaded');
  await harness.next('key_set_loaded');
  t.equal(await harness.verdict(seen), 'jwt_key_unknown', 'dropped although nobody presented an unknown key');
  t.equal(await harness.verdict(harness.freshToken(successor)), 'authenticated');
});

test('closing aborts a fetch in progress and starts no other', async (t) => {
  const harness = await createKeySetHarness(t);
  harness.server.answer('/jwks', () => {});
  const waiting = harness.verdict(harness.freshToken(known));
  await harness.server.asked('/jwks', 1);
  await harness.close();
  t.equal(await waiting, 'key_set_unavailable');
  harness.advance(staleMs);
  t.equal(await harness.verdict(harness.freshToken(known)), 'key_set_unavailable');
  t.equal(harness.fetches(), 1);
  t.strictSame(harness.events, [], 'and no event follows');
});

function drip(_: unknown, response: Parameters<Handler>[1]): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 10);
  response.on('close', () => clearInterval(timer));
}
