import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { test } from 'tap';
import {
  API_KEY,
  configOf,
  type Env,
  KEY_HASH,
  LEAST,
  OTHER_KEY_HASH,
  problemsOf,
  SIGNING_SECRET,
  warningsOf,
} from './loading.ts';

const NOBODY =
  'CLIENT_KEYS, JWT_ISSUER or ALLOW_ANONYMOUS: one of them is needed, or `clients` in the file that BROKER_CONFIG names: otherwise nobody could call';

const CASES: readonly (readonly [why: string, env: Env, problems: readonly string[]])[] = [
  [
    'serving needs an upstream key',
    { ALLOW_ANONYMOUS: 'true' },
    ['CARTESIA_API_KEY: is missing: set CARTESIA_API_KEY, or CARTESIA_API_KEY_FILE to a file that holds it'],
  ],
  ['serving needs somebody who may call', { CARTESIA_API_KEY: API_KEY }, [NOBODY]],
  ['anonymous callers are allowed only explicitly', { CARTESIA_API_KEY: API_KEY, ALLOW_ANONYMOUS: 'false' }, [NOBODY]],
  [
    'an http:// upstream is refused beyond this machine',
    { ...LEAST, CARTESIA_BASE_URL: 'http://cartesia.example', CARTESIA_ALLOW_INSECURE: 'true' },
    ['CARTESIA_BASE_URL: expected https://: the API key would cross the network in the clear'],
  ],
  [
    'an http:// upstream on this machine has to be allowed',
    { ...LEAST, CARTESIA_BASE_URL: 'http://127.0.0.1:1' },
    ['CARTESIA_BASE_URL: expected https://, or CARTESIA_ALLOW_INSECURE=true for an http:// upstream on this machine'],
  ],
  [
    'a host name that only looks like this machine is not',
    { ...LEAST, CARTESIA_BASE_URL: 'http://127.0.0.1.example.com', CARTESIA_ALLOW_INSECURE: 'true' },
    ['CARTESIA_BASE_URL: expected https://: the API key would cross the network in the clear'],
  ],
  [
    'the two listeners need two ports',
    { ...LEAST, PORT: '9000', MANAGEMENT_PORT: '9000' },
    ['MANAGEMENT_PORT: expected a different port from that of the public listener (PORT)'],
  ],
  [
    'also where the public one listens on every address',
    { ...LEAST, HOST: '0.0.0.0', REQUIRE_HTTPS: 'true', PORT: '9090' },
    ['MANAGEMENT_PORT: expected a different port from that of the public listener (PORT)'],
  ],
  [
    'also where the management one listens on every address',
    { ...LEAST, MANAGEMENT_HOST: '::', MANAGEMENT_PORT: '8080' },
    ['MANAGEMENT_PORT: expected a different port from that of the public listener (PORT)'],
  ],
  [
    'an invalid port is one problem: it is not compared with the other port',
    { ...LEAST, PORT: 'x', MANAGEMENT_PORT: '8080' },
    ['PORT: expected an integer from 0 to 65535'],
  ],
  [
    'an invalid longest lifetime is one problem',
    { ...LEAST, TOKEN_TTL_MAX: 'x', TOKEN_TTL: '901' },
    ['TOKEN_TTL_MAX: expected an integer from 1 to 3600 (seconds)'],
  ],
  [
    'a certificate needs its key',
    { ...LEAST, TLS_CERT_FILE: '/cert.pem' },
    [
      'TLS_KEY_FILE: is missing: TLS needs certificate and key',
      'TLS_CERT_FILE: cannot read /cert.pem: there is no such file',
    ],
  ],
  [
    'a key needs its certificate',
    { ...LEAST, TLS_KEY_FILE: '/key.pem' },
    [
      'TLS_CERT_FILE: is missing: TLS needs certificate and key',
      'TLS_KEY_FILE: cannot read /key.pem: there is no such file',
    ],
  ],
  [
    'proxied tokens need a signing secret',
    { ...LEAST, DELIVERY: 'proxied' },
    [
      'TOKEN_SIGNING_SECRET: is missing: access tokens of delivery `proxied` are signed with TOKEN_SIGNING_SECRET (at least 32 bytes)',
    ],
  ],
  [
    'an invalid signing secret is one problem, not two',
    { ...LEAST, DELIVERY: 'proxied', TOKEN_SIGNING_SECRET: 'short' },
    ['TOKEN_SIGNING_SECRET: expected a secret of at least 32 bytes, such as the output of `openssl rand -base64 48`'],
  ],
  [
    'the default lifetime is not longer than the longest',
    { ...LEAST, TOKEN_TTL: '901' },
    ['TOKEN_TTL: expected at most the longest lifetime allowed (TOKEN_TTL_MAX, `ttl.max`)'],
  ],
  [
    'verification of upstream certificates cannot be disabled',
    { ...LEAST, NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    [
      'NODE_TLS_REJECT_UNAUTHORIZED: must not be 0: the API key would be sent to any server that answers. For a private certificate authority set `upstream.ca_file`, or `REDIS_CA_FILE` for Redis',
    ],
  ],
  [
    'an http:// upstream on this machine, if allowed',
    { ...LEAST, CARTESIA_BASE_URL: 'http://[::1]:1', CARTESIA_ALLOW_INSECURE: 'true' },
    [],
  ],
  ['any free ports', { ...LEAST, PORT: '0', MANAGEMENT_PORT: '0' }, []],
  [
    'the same port on two addresses',
    { ...LEAST, PORT: '9000', MANAGEMENT_PORT: '9000', MANAGEMENT_HOST: '127.0.0.2' },
    [],
  ],
  ['certificate verification that is explicitly on', { ...LEAST, NODE_TLS_REJECT_UNAUTHORIZED: '1' }, []],
  [
    'an issuer that is not a URL, if its key set is named',
    { ...LEAST, JWT_ISSUER: 'accounts', JWT_AUDIENCE: 'a', JWT_JWKS_URL: 'https://a.example/keys' },
    [],
  ],
];

for (const [why, env, expected] of CASES) {
  test(`${expected.length > 0 ? 'refused' : 'accepted'}: ${why}`, async (t) => {
    t.strictSame(await problemsOf(env), expected);
  });
}

const KEYS = `auth: { keys: ["${KEY_HASH}"] }`;
const OTHER_KEYS = `auth: { keys: ["${OTHER_KEY_HASH}"] }`;
const jwt = (more = '') => `auth: { jwt: [{ issuer: "https://a.example", audience: voice${more} }] }`;

const BETWEEN_CLIENTS: readonly (readonly [why: string, clients: readonly string[], problems: readonly string[]])[] = [
  [
    'default grants beyond the grants',
    [`a: { ${KEYS}, default_grants: [stt] }`],
    ['2:101 clients.a.default_grants: expected only grants that `grants` allows'],
  ],
  [
    'grants that cannot be read are reported once',
    [`a: { ${KEYS}, grants: [tss], default_grants: [tts] }`],
    ['2:110 clients.a.grants[0]: expected one of tts, stt, agent'],
  ],
  [
    'no default grants',
    [`a: { ${KEYS}, default_grants: [] }`],
    ['2:101 clients.a.default_grants: expected at least one item'],
  ],
  [
    'trust without app keys',
    [`a: { trusted: true, ${jwt()} }`],
    ['2:8 clients.a.trusted: expected app keys in `auth.keys`: only callers with an app key may name a subject'],
  ],
  [
    'a claim that grants more than the policy',
    [`a: { ${jwt(', grants_from: { claim: scope, map: { s: [tts, agent] } }')} }`],
    ['2:99 clients.a.auth.jwt[0].grants_from.map: expected only grants that `grants` allows'],
  ],
  [
    'a claim of which no value grants anything',
    [`a: { ${jwt(', grants_from: { claim: scope }')} }`],
    [
      '2:70 clients.a.auth.jwt[0].grants_from.map: nobody could have a grant: expected values of the claim with what they grant, such as { speak: tts }',
    ],
  ],
  [
    'a claim of which the one value is misspelt: that is all there is to say',
    [`a: { ${jwt(', grants_from: { claim: scope, map: { s: speech } }')} }`],
    ['2:106 clients.a.auth.jwt[0].grants_from.map.*: expected one of tts, stt, agent'],
  ],
  [
    'a language with a region, which no request would match',
    [`a: { ${KEYS}, content: { languages: [de, en-GB] } }`],
    [
      '2:128 clients.a.content.languages[1]: expected a language without a region, such as `en`: it stands for `en-GB` too',
    ],
  ],
  [
    'more reserved than the maximum',
    [`a: { ${KEYS}, limits: { concurrency: { reserved: 3, max: 2, per_subject: 4 } } }`],
    [
      '2:126 clients.a.limits.concurrency.reserved: expected at most `max`',
      '2:147 clients.a.limits.concurrency.per_subject: expected at most `max`',
    ],
  ],
  [
    'trust, and an invalid app key',
    [`a: { trusted: true, auth: { keys: [nope], anonymous: true } }`],
    ['2:38 clients.a.auth.keys[0]: expected sha256: followed by 64 hexadecimal digits (made by `cartesia-broker key`)'],
  ],
  [
    'accepted: reserved and per-subject limits equal to the maximum',
    [`a: { ${KEYS}, limits: { concurrency: { reserved: 2, max: 2, per_subject: 2 } } }`],
    [],
  ],
  [
    'one app key for two client apps',
    [`a: { ${KEYS} }`, `b: { ${KEYS} }`],
    ['3:23 clients.b.auth.keys[0]: the same app key belongs to the client app a'],
  ],
  [
    'one app key for two, the second in capitals',
    [`a: { ${KEYS} }`, `b: { ${KEYS.replace('9f86d', '9F86D')} }`],
    ['3:23 clients.b.auth.keys[0]: the same app key belongs to the client app a'],
  ],
  [
    'one app key for two, the first in capitals',
    [`a: { ${KEYS.replace('9f86d', '9F86D')} }`, `b: { ${KEYS} }`],
    ['3:23 clients.b.auth.keys[0]: the same app key belongs to the client app a'],
  ],
  [
    'two client apps that allow anonymous callers',
    ['a: { auth: { anonymous: true } }', 'b: { auth: { anonymous: true } }'],
    [
      '3:16 clients.b.auth.anonymous: expected at most one client app: callers without a credential already belong to a',
    ],
  ],
  [
    'an entry that is never reached',
    [`a: { ${jwt()} }`, `b: { ${jwt(', require: { azp: b }')} }`],
    [
      '3:22 clients.b.auth.jwt[0]: is never reached: an entry of a before it takes the same tokens; narrow that one with `require`, or move it after this one',
    ],
  ],
  [
    'an issuer that is not a URL, without a key set',
    [`a: { auth: { jwt: [{ issuer: accounts, audience: voice }] } }`],
    [
      '2:24 clients.a.auth.jwt[0].issuer: expected an https:// URL without query, fragment or credentials (http:// only on the same machine), or JWT_JWKS_URL as well',
    ],
  ],
  [
    'an entry that grants too much, beside an unusable one and an unknown algorithm',
    [
      `a: { auth: { jwt: [{ issuer: "https://x.example" }, { issuer: "https://a.example", audience: v, algorithms: [HS256], grants_from: { claim: s, map: { s: stt } } }] } }`,
    ],
    [
      '2:22 clients.a.auth.jwt[0].audience: is missing; expected a string of 1 to 512 characters without line breaks. The audience that `aud` must name, so that only tokens meant for this broker are accepted. Several = any of them.',
      '2:112 clients.a.auth.jwt[1].algorithms[0]: expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519',
      '2:145 clients.a.auth.jwt[1].grants_from.map: expected only grants that `grants` allows',
    ],
  ],
  [
    'an entry that is never reached, beside an unusable one',
    [`a: { ${jwt()} }`, `b: { auth: { jwt: [{ audience: x }, { issuer: "https://a.example", audience: voice }] } }`],
    [
      '3:22 clients.b.auth.jwt[0].issuer: is missing; expected a string of 1 to 512 characters without line breaks. The issuer of end-user JWTs, exactly as in their `iss`, including any final slash. A URL, unless `jwks_url` is set.',
      '3:39 clients.b.auth.jwt[1]: is never reached: an entry of a before it takes the same tokens; narrow that one with `require`, or move it after this one',
    ],
  ],
  [
    'an invalid entry is not compared with later ones',
    [`a: { ${jwt(', require: { azp: 5 }')} }`, `b: { ${jwt()} }`],
    [
      '2:81 clients.a.auth.jwt[0].require.*: expected a string of 1 to 512 characters without line breaks (as a string)',
    ],
  ],
  [
    'one app key for two, beside an invalid one',
    [`a: { ${KEYS} }`, `b: { auth: { keys: [nope, "${KEY_HASH}"] } }`],
    [
      '3:23 clients.b.auth.keys[0]: expected sha256: followed by 64 hexadecimal digits (made by `cartesia-broker key`)',
      '3:29 clients.b.auth.keys[1]: the same app key belongs to the client app a',
    ],
  ],
  [
    'a language with a region, after an item that is not text',
    [`a: { ${KEYS}, content: { languages: [1, en-GB] } }`],
    [
      '2:124 clients.a.content.languages[0]: expected a string of 1 to 512 characters without line breaks (as a string)',
      '2:127 clients.a.content.languages[1]: expected a language without a region, such as `en`: it stands for `en-GB` too',
    ],
  ],
  [
    'empty lists of content, which could mean everything or nothing',
    [`a: { ${KEYS}, content: { models: [], voices: [], languages: [], formats: [], agents: [] } }`],
    [
      '2:112 clients.a.content.models: expected at least one item',
      '2:124 clients.a.content.voices: expected at least one item',
      '2:136 clients.a.content.languages: expected at least one item',
      '2:151 clients.a.content.formats: expected at least one item',
      '2:164 clients.a.content.agents: expected at least one item',
    ],
  ],
  [
    'a client app with an invalid name and no others: it still counts as somebody who can call',
    [`"a b": { ${KEYS} }`],
    ['2:3 clients.*: invalid name: expected a name of 1 to 40 letters, digits, "." or "-" that begins with a letter'],
  ],
  [
    'a mistake in one client app, and another app whose name starts like the path of that mistake',
    [`a: { ${KEYS}, grants: [] }`, `a.grants: { ${OTHER_KEYS}, ttl: { default: 901 } }`],
    [
      '2:101 clients.a.grants: expected at least one item',
      '3:115 clients.a.grants.ttl.default: expected at most the longest lifetime allowed (TOKEN_TTL_MAX, `ttl.max`)',
    ],
  ],
  ['accepted: the narrower entry first', [`a: { ${jwt(', require: { azp: [b, c] }')} }`, `b: { ${jwt()} }`], []],
  [
    'accepted: entries that differ in a required claim',
    [`a: { ${jwt(', require: { azp: a }')} }`, `b: { ${jwt(', require: { azp: b }')} }`],
    [],
  ],
  [
    'accepted: entries that differ in the audience',
    [`a: { ${jwt()} }`, `b: { ${jwt().replace('voice', 'other')} }`],
    [],
  ],
  ['accepted: two client apps with an app key each', [`a: { ${KEYS} }`, `b: { ${OTHER_KEYS}, trusted: true }`], []],
];

for (const [why, clients, expected] of BETWEEN_CLIENTS) {
  test(`client apps: ${why}`, async (t) => {
    const path = join(
      t.testdir({ 'broker.yaml': `clients:\n${clients.map((line) => `  ${line}\n`).join('')}` }),
      'broker.yaml',
    );
    const problems = await problemsOf({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: path });
    t.strictSame(
      problems.map((line) => line.replace(`${path}:`, '')),
      expected,
    );
  });
}

test('the sum of the reserves is checked against the upstream limit of each kind', async (t) => {
  const source = (tts: number): string => `upstream: { concurrency: { tts: ${tts}, stt: 3 } }
clients:
  a: { ${KEYS}, grants: [tts], limits: { concurrency: { reserved: 3 } } }
  b: { ${OTHER_KEYS}, grants: [tts, stt], limits: { concurrency: { reserved: 2 } } }
  c: { auth: { anonymous: true } }
`;
  const problems = async (tts: number): Promise<string[]> => {
    const path = join(t.testdir({ 'broker.yaml': source(tts) }), 'broker.yaml');
    return problemsOf({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: path });
  };
  t.strictSame(await problems(5), []);
  t.match(await problems(4), [
    /upstream\.concurrency\.tts: is less than what client apps have reserved together \(5\)$/,
  ]);
});

test('certificates and keys are read before anything listens', async (t) => {
  const [pair, other] = await Promise.all([
    generate([{ name: 'commonName', value: 'a' }]),
    generate([{ name: 'commonName', value: 'b' }]),
  ]);
  const dir = t.testdir({
    'cert.pem': pair.cert,
    'key.pem': pair.private,
    'other.pem': other.private,
    'text.pem': 'no PEM',
    dir: {},
  });
  const problems = (cert: string, key: string) =>
    problemsOf({ ...LEAST, TLS_CERT_FILE: `${dir}/${cert}`, TLS_KEY_FILE: `${dir}/${key}` });
  t.strictSame(await problems('cert.pem', 'key.pem'), []);
  t.strictSame(
    (await configOf({ ...LEAST, TLS_CERT_FILE: `${dir}/cert.pem`, TLS_KEY_FILE: `${dir}/key.pem` })).listen.tls,
    {
      certFile: `${dir}/cert.pem`,
      keyFile: `${dir}/key.pem`,
    },
  );
  const served = {
    TLS_CERT_FILE: `${dir}/cert.pem`,
    TLS_KEY_FILE: `${dir}/key.pem`,
    HOST: '::',
    REQUIRE_HTTPS: 'true',
  };
  t.strictSame(
    await warningsOf({ ...LEAST, ...served }),
    [],
    'a listener that serves TLS itself needs no proxy for HTTPS',
  );
  t.strictSame(await problems('cert.pem', 'other.pem'), [
    `TLS_KEY_FILE: ${dir}/other.pem does not belong to the certificate`,
  ]);
  t.strictSame(await problems('text.pem', 'text.pem'), [
    `TLS_CERT_FILE: expected a certificate in PEM format in ${dir}/text.pem`,
    `TLS_KEY_FILE: expected a private key without passphrase in PEM format in ${dir}/text.pem`,
  ]);
  const chain = `${pair.cert}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`;
  await Promise.all([
    writeFile(join(dir, 'chain.pem'), chain),
    writeFile(join(dir, 'half.pem'), `${pair.cert}\n${pair.cert.slice(0, 400)}`),
    writeFile(join(dir, 'cert.der'), new X509Certificate(pair.cert).raw),
    writeFile(join(dir, 'two.pem'), `a comment\n${pair.private}\n${pair.cert}\n${pair.cert}`),
  ]);
  for (const file of ['chain.pem', 'half.pem', 'cert.der']) {
    t.strictSame(await problems(file, 'key.pem'), [
      `TLS_CERT_FILE: expected a certificate in PEM format in ${dir}/${file}`,
    ]);
  }
  t.strictSame(await problems('two.pem', 'two.pem'), []);
  t.strictSame(await problems('none.pem', 'dir'), [
    `TLS_CERT_FILE: cannot read ${dir}/none.pem: there is no such file`,
    `TLS_KEY_FILE: cannot read ${dir}/dir: it is a directory`,
  ]);
});

test('a certificate that OpenSSL refuses to serve with is refused before anything listens', async (t) => {
  const weak = await generate([{ name: 'commonName', value: 'a' }], { keySize: 1024 });
  const dir = t.testdir({ 'cert.pem': weak.cert, 'key.pem': weak.private });
  t.strictSame(await problemsOf({ ...LEAST, TLS_CERT_FILE: `${dir}/cert.pem`, TLS_KEY_FILE: `${dir}/key.pem` }), [
    `TLS_CERT_FILE: ${dir}/cert.pem cannot be used for TLS: ERR_SSL_EE_KEY_TOO_SMALL`,
  ]);
});

test('paths in the configuration file are relative to its directory', async (t) => {
  const pair = await generate([{ name: 'commonName', value: 'a' }]);
  const source = `listen: { tls: { cert_file: cert.pem, key_file: key.pem } }\nupstream: { ca_file: ca.pem }\nclients: { a: { ${KEYS} } }\n`;
  const dir = t.testdir({ 'broker.yaml': source, 'cert.pem': pair.cert, 'key.pem': pair.private, 'ca.pem': pair.cert });
  const config = await configOf({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: `${dir}/broker.yaml` });
  t.strictSame(config.listen.tls, { certFile: `${dir}/cert.pem`, keyFile: `${dir}/key.pem` });
  t.equal(config.upstream.caFile, `${dir}/ca.pem`);
});

test('every certificate in the upstream CA file has to be readable', async (t) => {
  const { cert } = await generate([{ name: 'commonName', value: 'a' }]);
  const chain = `${cert}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`;
  const source = `upstream: { ca_file: ca.pem }\nclients: { a: { ${KEYS} } }\n`;
  const bundle = t.testdir({ 'broker.yaml': source, 'ca.pem': chain });
  t.strictSame(await problemsOf({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: `${bundle}/broker.yaml` }), [
    `${bundle}/broker.yaml:1:13 upstream.ca_file: expected a certificate in PEM format in ${bundle}/ca.pem`,
  ]);
  const dir = t.testdir({ 'broker.yaml': `upstream: { ca_file: broker.yaml }\nclients: { a: { ${KEYS} } }\n` });
  t.strictSame(await problemsOf({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: `${dir}/broker.yaml` }), [
    `${dir}/broker.yaml:1:13 upstream.ca_file: expected a certificate in PEM format in ${dir}/broker.yaml`,
  ]);
});

test('TLS to Redis needs usable files, a certificate with its key, and a rediss:// URL', async (t) => {
  const [pair, other] = await Promise.all([
    generate([{ name: 'commonName', value: 'a' }]),
    generate([{ name: 'commonName', value: 'b' }]),
  ]);
  const dir = t.testdir({
    'ca.pem': other.cert,
    'cert.pem': pair.cert,
    'key.pem': pair.private,
    'other.pem': other.private,
  });
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => `${dir}/${name}`) as [string, string, string];
  const REDIS_URL = 'rediss://localhost';
  const store = async (env: Env) => (await configOf({ ...LEAST, REDIS_URL, ...env })).store.redisTls;
  const certificate = { certFile: cert, keyFile: key };
  t.equal(await store({}), null);
  t.strictSame(await store({ REDIS_CA_FILE: ca }), { caFile: ca, certificate: null });
  t.strictSame(await store({ REDIS_CERT_FILE: cert, REDIS_KEY_FILE: key }), { caFile: null, certificate });
  const files = { REDIS_CA_FILE: ca, REDIS_CERT_FILE: cert, REDIS_KEY_FILE: key };
  t.strictSame(await store(files), { caFile: ca, certificate });
  t.strictSame(await warningsOf({ ...LEAST, REDIS_URL, ...files }), []);

  for (const [env, problems] of [
    [{ REDIS_CA_FILE: `${dir}/none` }, [`REDIS_CA_FILE: cannot read ${dir}/none: there is no such file`]],
    [{ REDIS_CA_FILE: key }, [`REDIS_CA_FILE: expected a certificate in PEM format in ${key}`]],
    [{ REDIS_CERT_FILE: cert }, ['REDIS_KEY_FILE: is missing: TLS needs certificate and key']],
    [{ REDIS_KEY_FILE: key }, ['REDIS_CERT_FILE: is missing: TLS needs certificate and key']],
    [
      { REDIS_CERT_FILE: cert, REDIS_KEY_FILE: `${dir}/other.pem` },
      [`REDIS_KEY_FILE: ${dir}/other.pem does not belong to the certificate`],
    ],
    [
      { REDIS_CERT_FILE: key, REDIS_KEY_FILE: cert },
      [
        `REDIS_CERT_FILE: expected a certificate in PEM format in ${key}`,
        `REDIS_KEY_FILE: expected a private key without passphrase in PEM format in ${cert}`,
      ],
    ],
  ] as const)
    t.strictSame(await problemsOf({ ...LEAST, REDIS_URL, ...env }), problems);
  for (const env of [{ REDIS_CA_FILE: ca }, { REDIS_CERT_FILE: cert, REDIS_KEY_FILE: key }])
    t.match(await problemsOf({ ...LEAST, REDIS_URL: 'redis://localhost', ...env }), [
      /^REDIS_URL: expected rediss:\/\/: a certificate authority or a certificate for Redis is given, but redis:\/\//,
    ]);
  t.strictSame(
    await warningsOf({ ...LEAST, ...files }),
    Object.keys(files).map((name) => `${name}: does nothing: state is in memory while REDIS_URL is not set`),
  );

  const source = `store: { redis_url: ${REDIS_URL}, redis_ca_file: ca.pem, redis_cert_file: cert.pem, redis_key_file: key.pem }`;
  await writeFile(`${dir}/broker.yaml`, `${source}\nclients: { a: { ${KEYS} } }\n`);
  const config = await configOf({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: `${dir}/broker.yaml` });
  t.strictSame(config.store.redisTls, { caFile: ca, certificate });
});

test('Cartesia’s paths are served where tokens are proxied, unless configured otherwise', async (t) => {
  const proxied = { ...LEAST, DELIVERY: 'proxied', TOKEN_SIGNING_SECRET: SIGNING_SECRET };
  t.equal((await configOf(LEAST)).proxy, false);
  t.equal((await configOf({ ...LEAST, PROXY: 'true' })).proxy, true);
  t.equal((await configOf(proxied)).proxy, true);
  t.equal((await configOf({ ...proxied, PROXY: 'false' })).proxy, false);
});

test('a malformed list of app keys does not hide problems of the policy beside it', async (t) => {
  const problems = await problemsOf({ CARTESIA_API_KEY: API_KEY, CLIENT_KEYS: 'nope', GRANTS: 'foo', TOKEN_TTL: '0' });
  t.strictSame(
    problems.map((line) => line.slice(0, line.indexOf(':'))),
    ['CLIENT_KEYS', 'GRANTS', 'TOKEN_TTL'],
  );
});
