import { generate } from 'selfsigned';
import { type Test, test } from 'tap';
import { isSafeKeySource } from '../../../src/identity/jwt/json-fetcher.ts';
import { type Handler, json, startIssuerServer } from './issuer-server.ts';
import { createKeySetHarness } from './key-set-harness.ts';
import { createSigningKey } from './signing-key.ts';

const key = createSigningKey();
const byDiscovery = () => ({ jwksUrl: null });
const DISCOVERY = '/.well-known/openid-configuration';

test('keys are found by discovery, which is fetched only once', async (t) => {
  const harness = await createKeySetHarness(t, { jwt: byDiscovery });
  harness.server.publish(key.jwk);
  await harness.warm();
  t.equal(await harness.verdict(harness.freshToken(createSigningKey())), 'jwt_key_unknown');
  t.strictSame(harness.server.requests, [DISCOVERY, '/jwks', '/jwks']);
  t.equal(await harness.verdict(harness.freshToken(key)), 'authenticated');
});

test('an issuer may have a path, with or without a trailing slash', async (t) => {
  const server = await startIssuerServer();
  t.teardown(() => server.close());
  server.publish(key.jwk);
  for (const path of ['/realms/voice', '/realms/voice/', '/']) {
    const issuer = server.issuer + path;
    const document = `${path.replace(/\/$/, '')}${DISCOVERY}`;
    server.answer(document, (_, response) => json(response, { issuer, jwks_uri: server.jwksUrl }));
    const harness = await createKeySetHarness(t, { jwt: () => ({ issuer, jwksUrl: null }) });
    await harness.warm();
    t.match(harness.events, [{ event: 'key_set_loaded', issuer }], path);
  }
});

test('a discovery document of another issuer, or without a usable address, is rejected', async (t) => {
  const cases: [string, (issuer: string) => unknown][] = [
    ['discovery_issuer_differs', (issuer) => ({ issuer: `${issuer}/`, jwks_uri: `${issuer}/jwks` })],
    ['discovery_issuer_differs', (issuer) => ({ issuer: 'https://evil.example', jwks_uri: `${issuer}/jwks` })],
    ['discovery_issuer_differs', (issuer) => ({ jwks_uri: `${issuer}/jwks` })],
    ['discovery_without_jwks_uri', (issuer) => ({ issuer })],
    ['discovery_without_jwks_uri', (issuer) => ({ issuer, jwks_uri: [`${issuer}/jwks`] })],
    ['not_https', (issuer) => ({ issuer, jwks_uri: 'http://192.0.2.1/jwks' })],
    ['not_https', (issuer) => ({ issuer, jwks_uri: 'file:///etc/passwd' })],
    ['not_https', (issuer) => ({ issuer, jwks_uri: 'jwks' })],
    ['discovery_malformed', () => ['x']],
    ['discovery_malformed', () => null],
  ];
  for (const [reason, document] of cases) {
    const harness = await createKeySetHarness(t, { jwt: byDiscovery });
    harness.server.publish(key.jwk);
    harness.server.answer(DISCOVERY, (_, response) => json(response, document(harness.server.issuer)));
    t.equal(await harness.verdict(harness.freshToken(key)), 'key_set_unavailable');
    t.match(harness.events, [{ event: 'key_set_failed', reason }]);
    t.strictSame(harness.server.requests, [DISCOVERY], 'the keys were not requested');
  }
});

test('an issuer may move its keys to another address', async (t) => {
  const harness = await createKeySetHarness(t, { jwt: byDiscovery });
  const { server } = harness;
  server.publish(createSigningKey().jwk);
  await harness.warm();
  server.answer('/jwks', (_, response) => response.writeHead(410).end());
  server.answer('/moved', (_, response) => json(response, { keys: [key.jwk] }));
  server.answer(DISCOVERY, (_, response) =>
    json(response, { issuer: server.issuer, jwks_uri: `${server.issuer}/moved` }),
  );
  await harness.verdict(harness.freshToken(key));
  t.match(harness.events.at(-1), { event: 'key_set_failed', reason: 'status_410' });
  harness.advance(30_000);
  t.equal(await harness.verdict(harness.freshToken(key)), 'authenticated');
});

test('one deadline covers discovery and keys together', async (t) => {
  const harness = await createKeySetHarness(t, { jwt: byDiscovery, timing: { deadlineMs: 150 } });
  harness.server.answer(DISCOVERY, () => {});
  t.equal(await harness.verdict(harness.freshToken(key)), 'key_set_unavailable');
  t.match(harness.events, [{ event: 'key_set_failed', reason: 'discovery_timeout' }]);
});

test('the reason says which of the two documents could not be fetched', async (t) => {
  const gone: Handler = (_, response) => response.writeHead(404).end();
  for (const [path, reason] of [
    [DISCOVERY, 'discovery_status_404'],
    ['/jwks', 'status_404'],
  ] as const) {
    const harness = await createKeySetHarness(t, { jwt: byDiscovery });
    harness.server.answer(path, gone);
    await harness.warm();
    t.match(harness.events, [{ event: 'key_set_failed', reason }]);
  }
});

test('keys are fetched over HTTPS, or from this machine', async (t) => {
  const safe = [
    'https://login.example.com/jwks',
    'https://10.0.0.1/',
    'http://localhost:8080/jwks',
    'http://127.0.0.1/',
    'http://127.1.2.3/',
    'http://[::1]:8080/',
  ];
  const unsafe = [
    'http://login.example.com/jwks',
    'http://localhost.example.com/',
    'http://127.0.0.1.example.com/',
    'http://10.0.0.1/',
    'http://0.0.0.0/',
    'ftp://localhost/',
    'file:///keys',
    'data:application/json,{}',
    '/jwks',
    '',
  ];
  for (const url of safe) t.ok(isSafeKeySource(url), url);
  for (const url of unsafe) t.notOk(isSafeKeySource(url), url);
});

test('over HTTPS the certificate is verified', async (t) => {
  const good = await certificate('localhost');
  const trusted = await createKeySetHarness(t, { server: { tls: good }, ca: good.cert });
  trusted.server.publish(key.jwk);
  t.equal(await trusted.verdict(trusted.freshToken(key)), 'authenticated');

  const other = await certificate('localhost');
  await isRefused(t, 'an unknown authority', good, undefined, /self_signed/);
  await isRefused(t, 'another authority', good, other.cert, /self_signed|signature/);
  const wrongName = await certificate('evil.example');
  await isRefused(t, 'another name', wrongName, wrongName.cert, /altname/);
  const expired = await certificate('localhost', { from: '2020-01-01', to: '2021-01-01' });
  await isRefused(t, 'an expired one', expired, expired.cert, /cert_has_expired/);
});

test('no environment variable turns the verification off', async (t) => {
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  t.teardown(() => {
    delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  });
  await isRefused(t, 'under NODE_TLS_REJECT_UNAUTHORIZED=0', await certificate('localhost'), undefined, /self_signed/);
});

interface Certificate {
  readonly key: string;
  readonly cert: string;
}

async function isRefused(t: Test, name: string, tls: Certificate, ca: string | undefined, reason: RegExp) {
  const harness = await createKeySetHarness(t, { server: { tls }, ...(ca === undefined ? {} : { ca }) });
  harness.server.publish(key.jwk);
  t.equal(await harness.verdict(harness.freshToken(key)), 'key_set_unavailable', name);
  t.match(harness.events, [{ event: 'key_set_failed', reason }], name);
  t.strictSame(harness.server.requests, [], `${name}: no request arrived`);
}

async function certificate(name: string, life?: { readonly from: string; readonly to: string }): Promise<Certificate> {
  const pems = await generate([{ name: 'commonName', value: name }], {
    keySize: 2_048,
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: name }] }],
    ...(life && { notBeforeDate: new Date(life.from), notAfterDate: new Date(life.to) }),
  });
  return { key: pems.private, cert: pems.cert };
}
