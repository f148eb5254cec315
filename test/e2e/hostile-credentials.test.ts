// Bad credentials over raw sockets: whatever is wrong with one, the response is the same to the byte.
import { createHmac } from 'node:crypto';
import { test } from 'tap';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { startIssuerServer } from '../identity/jwt/issuer-server.ts';
import { createSigningKey, encode, goodClaims, signJwt, signParts } from '../identity/jwt/signing-key.ts';
import { mintBytes } from './mint-bytes.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw } from './raw-connection.ts';
import { startRunningBroker } from './running-broker.ts';

test('every bad credential gets the same 401', async (t) => {
  const issuer = await startIssuerServer();
  t.teardown(() => issuer.close());
  const key = createSigningKey('ES256');
  const stranger = createSigningKey('ES256');
  issuer.publish(key.jwk);
  const { broker, simulator, appKey, logs, watch } = await startRunningBroker(t, {
    file: (digest) => ({
      clients: {
        kiosk: { auth: { keys: [digest] }, grants: ['tts'], limits: { mint: 'off' } },
        web: {
          auth: { jwt: [{ issuer: issuer.issuer, audience: 'voice', jwks_url: issuer.jwksUrl }] },
          grants: ['tts'],
          limits: { mint: 'off' },
        },
      },
    }),
  });
  const now = Math.floor(Date.now() / 1000);
  const claims = goodClaims(issuer.issuer);
  const good = signJwt(key, claims);
  const [head = '', payload = '', signature = ''] = good.split('.');
  const hs256 = `${encode('{"alg":"HS256","typ":"JWT"}')}.${payload}`;
  const publicPem = key.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const bearer = (token: string): readonly string[] => [`Authorization: Bearer ${token}`];
  const unknownKey = createAppKey();

  const bad: Readonly<Record<string, readonly string[]>> = {
    none: [],
    Basic: ['Authorization: Basic dXNlcjpwYXNz'],
    'a scheme alone': ['Authorization: Bearer'],
    'an empty bearer': ['Authorization: Bearer '],
    'an empty field': ['Authorization:'],
    'another scheme': [`Authorization: Token ${appKey}`],
    'no scheme': [`Authorization: ${appKey}`],
    'Authorization twice': [...bearer(appKey), ...bearer(appKey)],
    'X-API-Key twice': [`X-API-Key: ${appKey}`, `X-API-Key: ${appKey}`],
    'an empty X-API-Key': ['X-API-Key:'],
    'an unknown key': bearer(unknownKey),
    'an unknown key as X-API-Key': [`X-API-Key: ${unknownKey}`],
    'the right prefix, a wrong rest': bearer(`${appKey.slice(0, -1)}${appKey.endsWith('A') ? 'B' : 'A'}`),
    'a key with something after it': bearer(`${appKey}x`),
    'a key with a space in it': bearer(`${appKey.slice(0, 9)} ${appKey.slice(9)}`),
    'a key in capitals': bearer(appKey.toUpperCase()),
    'the digest of a key': bearer(appKeyDigest(appKey)),
    'two keys in one field': bearer(`${appKey}, ${appKey}`),
    "Cartesia's own key": bearer(simulator.apiKey),
    "a token of Cartesia's": bearer(simulator.mintToken()),
    'bytes above ASCII': bearer('\xff\xfe'),
    '9 KB': bearer('a'.repeat(9 * 1024)),
    'alg none': bearer(`${encode('{"alg":"none"}')}.${payload}.`),
    'HS256 with the public key': bearer(
      `${hs256}.${createHmac('sha256', publicPem).update(hs256).digest('base64url')}`,
    ),
    'no signature': bearer(`${head}.${payload}.`),
    'no signature, no dot': bearer(`${head}.${payload}`),
    'another signature': bearer(`${head}.${payload}.${signature.split('').reverse().join('')}`),
    'other claims under the signature': bearer(
      `${head}.${encode(JSON.stringify({ ...claims, sub: 'admin' }))}.${signature}`,
    ),
    'an unknown kid': bearer(signJwt(stranger, claims)),
    'a known kid, another key': bearer(signJwt(stranger, claims, { kid: key.kid })),
    'a key in the header': bearer(signJwt(stranger, claims, { kid: undefined, jwk: stranger.jwk })),
    'a key set in the header': bearer(signJwt(stranger, claims, { jku: issuer.jwksUrl })),
    expired: bearer(signJwt(key, { ...claims, iat: now - 500, exp: now - 61 })),
    'not yet': bearer(signJwt(key, { ...claims, nbf: now + 120 })),
    'issued in the future': bearer(signJwt(key, { ...claims, iat: now + 120 })),
    'another issuer': bearer(signJwt(key, { ...claims, iss: `${issuer.issuer}/` })),
    'another audience': bearer(signJwt(key, { ...claims, aud: 'billing' })),
    'no issuer': bearer(signJwt(key, { ...claims, iss: undefined })),
    'no audience': bearer(signJwt(key, { ...claims, aud: undefined })),
    'no expiry': bearer(signJwt(key, { ...claims, exp: undefined })),
    'no subject': bearer(signJwt(key, { ...claims, sub: undefined })),
    'an unknown crit': bearer(signJwt(key, claims, { crit: ['x'], x: 1 })),
    'five parts': bearer(`${good}.${head}.${payload}`),
    'claims that are no JSON': bearer(signParts(key, head, encode('hello'))),
    'a key in the query': [],
  };

  const answers = new Map<string, string[]>();
  logs.length = 0;
  for (const [name, fields] of Object.entries(bad)) {
    const connection = await openRaw(t, broker.url);
    const target = name === 'a key in the query' ? `/access-token?api_key=${appKey}` : '/access-token';
    connection.send(mintBytes({ target, credential: null, fields }));
    const { headers, body, json, ...response } = await connection.response();
    isProblem(t, { headers, body, json, ...response }, 'unauthenticated', name);
    const id = String(json['request_id']);
    const { date: _, ...rest } = headers;
    const wire = JSON.stringify({ ...response, headers: rest, body }).replaceAll(id, '(id)');
    answers.set(wire, [...(answers.get(wire) ?? []), name]);
    t.equal(headers['www-authenticate'], 'Bearer');
    connection.socket.destroy();
  }
  t.equal(answers.size, 1, `one answer, to the byte: ${JSON.stringify([...answers])}`);
  const refusals = logs.filter((line) => line['msg'] === 'request');
  t.equal(refusals.length, Object.keys(bad).length);
  t.ok(
    refusals.every((line) => line['reason'] !== undefined && line['audit'] === 'refusal'),
    'the operator is told why',
  );
  t.strictSame(simulator.journal.entries(), [], 'Cartesia was not asked');

  watch.add({ name: "user's JWT", value: good });
  for (const credential of [good, appKey]) {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ credential }));
    t.equal((await connection.response()).status, 200, 'good ones still work');
  }
});

test('a caller that may not name a subject, or sends two credentials, is told so', async (t) => {
  const { broker, simulator, appKey } = await startRunningBroker(t);
  const cases = [
    [[`Authorization: Bearer ${appKey}`, 'X-Broker-Subject: alice'], 'subject_not_allowed'],
    [[`Authorization: Bearer ${appKey}`, `X-API-Key: ${createAppKey()}`], 'invalid_request'],
  ] as const;
  for (const [fields, code] of cases) {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ credential: null, fields }));
    isProblem(t, await connection.response(), code);
  }
  t.strictSame(simulator.journal.entries(), []);
  const connection = await openRaw(t, broker.url);
  connection.send(mintBytes({ credential: appKey, fields: [`X-API-Key: ${appKey}`] }));
  t.equal((await connection.response()).status, 200, 'the same one twice counts as one');
});

test('no header changes who a caller is', async (t) => {
  const { broker, simulator } = await startRunningBroker(t);
  const fields = [
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-User: admin',
    'X-Original-URL: /livez',
    'X-Rewrite-URL: /livez',
    'Forwarded: for=127.0.0.1;proto=https',
    'X-Broker-Client: kiosk',
    'Cookie: session=admin',
    'User-Agent: kube-probe/1.30',
  ];
  const connection = await openRaw(t, broker.url);
  connection.send(mintBytes({ credential: null, fields }));
  isProblem(t, await connection.response(), 'unauthenticated');
  t.strictSame(simulator.journal.entries(), []);
});
