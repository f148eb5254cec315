import { join } from 'node:path';
import { test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import { API_KEY, configOf, type Env, KEY_HASH, LEAST, OTHER_KEY_HASH, problemsOf, SIGNING_SECRET } from './loading.ts';

const HEX = KEY_HASH.slice('sha256:'.length);
const OTHER_HEX = OTHER_KEY_HASH.slice('sha256:'.length);
const JWT: Env = { JWT_ISSUER: 'https://login.example.com', JWT_AUDIENCE: 'voice' };

const UNRESTRICTED = {
  models: null,
  voices: null,
  languages: null,
  formats: null,
  maxTranscript: null,
  agents: null,
  agentOverrides: [],
};
const USUAL_SOCKETS = {
  maxDurationMs: 3_600_000,
  endWithToken: false,
  idleMs: null,
  maxContexts: 50,
  maxCharacters: null,
};
const ADMIN_TOKEN = 'admin token of thirty-two bytes and more';
const NO_BUDGET = { subject: null, client: null };
const NO_QUOTA = { characters: NO_BUDGET, audio_seconds: NO_BUDGET, call_seconds: NO_BUDGET, mints: NO_BUDGET };
const NO_SHARE = { reserved: 0, max: null, perSubject: null, weight: 1 };

test('the minimal environment for serving gets every default', async (t) => {
  t.strictSame(await configOf({ CARTESIA_API_KEY: API_KEY, ALLOW_ANONYMOUS: 'true' }), {
    listen: {
      host: '127.0.0.1',
      port: 8080,
      publicUrl: null,
      tls: null,
      trustProxy: [],
      requireHttps: false,
      drainDelayMs: 5_000,
      drainDeadlineMs: 20_000,
    },
    management: { host: '127.0.0.1', port: 9090, adminToken: null },
    upstream: {
      apiKeys: [new Secret(API_KEY)],
      baseUrl: 'https://api.cartesia.ai',
      version: '2026-03-01',
      versionPolicy: 'fill',
      deadlineMs: 5_000,
      connections: 32,
      caFile: null,
      transport: 'undici',
      concurrency: { tts: null, stt: null, agent: null },
    },
    tokens: { signingSecrets: [], reuse: false },
    limits: {
      mintPerAddress: { max: 60, windowMs: 60_000 },
      queue: { waitMs: 2_000, contextWaitMs: 1_000, length: 500 },
      quota: { characters: null, audio_seconds: null, call_seconds: null, mints: null },
    },
    store: { redisUrl: null, redisTls: null, prefix: 'cartesia-broker' },
    secretFiles: [],
    usage: { prices: { characters: null, audioSeconds: null, callSeconds: null } },
    log: { level: 'info' },
    sockets: { browserRefusals: 'status' },
    proxy: false,
    clients: [
      {
        name: 'default',
        trusted: false,
        auth: { keys: [], jwt: [], anonymous: true, queryCredentials: false },
        grants: ['tts'],
        defaultGrants: ['tts'],
        ttl: { defaultSeconds: 300, maxSeconds: 900 },
        delivery: 'direct',
        origins: [],
        content: UNRESTRICTED,
        sockets: USUAL_SOCKETS,
        reads: false,
        limits: {
          mint: { max: 30, windowMs: 60_000 },
          concurrency: NO_SHARE,
          quota: NO_QUOTA,
        },
      },
    ],
  });
});

test('every variable reaches the configuration', async (t) => {
  const config = await configOf({
    ...JWT,
    CARTESIA_API_KEY: `${API_KEY}, sk_car_second.key`,
    CARTESIA_BASE_URL: 'http://localhost:4000/',
    CARTESIA_ALLOW_INSECURE: 'true',
    CARTESIA_VERSION: '2025-11-04',
    CARTESIA_VERSION_POLICY: 'pin',
    HOST: '::',
    PORT: '0',
    MANAGEMENT_HOST: 'localhost',
    MANAGEMENT_PORT: '65535',
    ADMIN_TOKEN,
    PUBLIC_URL: 'https://voice.example.com/broker/',
    TRUST_PROXY: '10.0.0.0/8, ::1',
    REQUIRE_HTTPS: 'true',
    CLIENT_KEYS: `web=${KEY_HASH},ios=${OTHER_KEY_HASH.toUpperCase().replace('SHA', 'sha')}`,
    TRUSTED_CLIENTS: 'ios',
    JWT_AUDIENCE: 'voice,other',
    JWT_JWKS_URL: 'https://login.example.com/keys',
    JWT_ALGORITHMS: 'ES384,Ed25519',
    GRANTS: 'stt,tts',
    TOKEN_TTL: '60',
    TOKEN_TTL_MAX: '3600',
    DELIVERY: 'proxied',
    TOKEN_SIGNING_SECRET: `${SIGNING_SECRET},${SIGNING_SECRET}2`,
    CORS_ORIGINS: 'https://app.example.com, http://localhost:3000',
    MINT_RATE: 'off',
    MINT_RATE_PER_IP: '5/second',
    TTS_CONCURRENCY: '15',
    STT_CONCURRENCY: '60',
    AGENT_CONCURRENCY: '5',
    REDIS_URL: 'redis://localhost',
    REDIS_PREFIX: 'eu',
    LOG_LEVEL: 'debug',
  });
  t.strictSame(
    config.upstream.apiKeys.map((key) => key.reveal()),
    [API_KEY, 'sk_car_second.key'],
  );
  t.strictSame(
    config.tokens.signingSecrets.map((key) => key.reveal()),
    [SIGNING_SECRET, `${SIGNING_SECRET}2`],
  );
  t.equal(config.store.redisUrl?.reveal(), 'redis://localhost');
  t.equal(config.store.prefix, 'eu');
  t.match(config.upstream, {
    baseUrl: 'http://localhost:4000',
    version: '2025-11-04',
    versionPolicy: 'pin',
    concurrency: { tts: 15, stt: 60, agent: 5 },
  });
  t.match(config.listen, { host: '::', port: 0, publicUrl: 'https://voice.example.com/broker', requireHttps: true });
  t.strictSame(config.listen.trustProxy, ['10.0.0.0/8', '::1']);
  t.match(config.management, { host: 'localhost', port: 65535 });
  t.equal(config.management.adminToken?.reveal(), ADMIN_TOKEN);
  t.strictSame(config.limits.mintPerAddress, { max: 5, windowMs: 1_000 });
  t.equal(config.log.level, 'debug');
  t.equal(config.proxy, true, 'follows from the delivery');
  const policy = {
    grants: ['tts', 'stt'],
    defaultGrants: ['tts', 'stt'],
    ttl: { defaultSeconds: 60, maxSeconds: 3600 },
    delivery: 'proxied',
    origins: ['https://app.example.com', 'http://localhost:3000'],
    content: UNRESTRICTED,
    sockets: USUAL_SOCKETS,
    reads: false,
    limits: { mint: null, concurrency: NO_SHARE, quota: NO_QUOTA },
  };
  const noWay = { jwt: [], anonymous: false, queryCredentials: false };
  t.strictSame(config.clients, [
    { name: 'web', trusted: false, auth: { keys: [HEX], ...noWay }, ...policy },
    { name: 'ios', trusted: true, auth: { keys: [OTHER_HEX], ...noWay }, ...policy },
    {
      name: 'default',
      trusted: false,
      auth: {
        keys: [],
        jwt: [
          {
            issuer: 'https://login.example.com',
            audience: ['voice', 'other'],
            jwksUrl: 'https://login.example.com/keys',
            algorithms: ['ES384', 'Ed25519'],
            subjectClaim: 'sub',
            toleranceSeconds: 30,
            require: {},
            grantsFrom: null,
          },
        ],
        anonymous: false,
        queryCredentials: false,
      },
      ...policy,
    },
  ]);
});

test('app keys name their client apps', async (t) => {
  const keysOf = async (env: Env) =>
    (await configOf({ CARTESIA_API_KEY: API_KEY, ...env })).clients.map(({ name, auth }) => [name, auth.keys]);
  t.strictSame(await keysOf({ CLIENT_KEYS: `web=${KEY_HASH},web=${OTHER_KEY_HASH}` }), [['web', [HEX, OTHER_HEX]]]);
  t.strictSame(await keysOf({ CLIENT_KEYS: `default=${KEY_HASH}`, ...JWT }), [['default', [HEX]]]);
  t.strictSame(await keysOf({ CLIENT_KEYS: `constructor=${KEY_HASH}` }), [['constructor', [HEX]]]);
});

test('an empty variable counts as not set', async (t) => {
  const config = await configOf({
    ...LEAST,
    PORT: '',
    GRANTS: '',
    JWT_ISSUER: '',
    TOKEN_SIGNING_SECRET: '',
    BROKER_CONFIG: '',
  });
  t.equal(config.listen.port, 8080);
  t.strictSame(
    config.clients.map(({ name }) => name),
    ['web'],
  );
});

test('writing out a default changes nothing', async (t) => {
  const anonymous = { CARTESIA_API_KEY: API_KEY, ALLOW_ANONYMOUS: 'true' };
  const written = { ...anonymous, JWT_ALGORITHMS: 'RS256,ES256,EdDSA' };
  t.strictSame(await configOf(written), await configOf(anonymous));
  t.match(
    await problemsOf({ ...anonymous, JWT_ALGORITHMS: 'RS256' }),
    [/^JWT_ISSUER: is missing/],
    'a non-default value means that an issuer was intended',
  );
  t.strictSame(await configOf({ ...LEAST, ALLOW_ANONYMOUS: 'false', JWT_ALGORITHMS: 'RS256' }), await configOf(LEAST));
});

test('the default lifetime is never longer than the longest allowed', async (t) => {
  const [client] = (await configOf({ ...LEAST, TOKEN_TTL_MAX: '120' })).clients;
  t.strictSame(client?.ttl, { defaultSeconds: 120, maxSeconds: 120 });
});

const REFUSED: readonly (readonly [why: string, env: Env, problems: readonly RegExp[]])[] = [
  ['not an integer', { PORT: '80a' }, [/^PORT: expected an integer from 0 to 65535$/]],
  ['a hexadecimal number', { PORT: '0x50' }, [/^PORT: expected an integer/]],
  ['a leading zero', { PORT: '080' }, [/^PORT: /]],
  ['a space', { PORT: ' 80' }, [/^PORT: /]],
  ['a fraction', { PORT: '80.0' }, [/^PORT: /]],
  ['beyond the range', { MANAGEMENT_PORT: '65536' }, [/^MANAGEMENT_PORT: /]],
  ['yes instead of true', { REQUIRE_HTTPS: 'yes' }, [/^REQUIRE_HTTPS: expected true or false$/]],
  ['TRUE instead of true', { ALLOW_ANONYMOUS: 'TRUE' }, [/^ALLOW_ANONYMOUS: expected true or false$/]],
  ['1 instead of true', { PROXY: '1' }, [/^PROXY: expected true or false$/]],
  [
    'an unknown word',
    { LOG_LEVEL: 'loud' },
    [/^LOG_LEVEL: expected one of fatal, error, warn, info, debug, trace, silent$/],
  ],
  ['an unknown policy', { CARTESIA_VERSION_POLICY: 'max' }, [/^CARTESIA_VERSION_POLICY: expected one of fill, pin$/]],
  ['an unknown delivery', { DELIVERY: 'both' }, [/^DELIVERY: expected one of direct, proxied$/]],
  ['an impossible date', { CARTESIA_VERSION: '2026-02-30' }, [/^CARTESIA_VERSION: expected a calendar date/]],
  ['an unknown grant', { GRANTS: 'tts,sing' }, [/^GRANTS: item 2: expected one of tts, stt, agent$/]],
  ['an empty item', { GRANTS: 'tts,' }, [/^GRANTS: item 2: expected one of/]],
  ['a repeated item', { GRANTS: 'tts,stt,tts' }, [/^GRANTS: item 3: is repeated$/]],
  [
    'a lifetime above one hour',
    { TOKEN_TTL_MAX: '3601' },
    [/^TOKEN_TTL_MAX: expected an integer from 1 to 3600 \(seconds\)$/],
  ],
  ['a lifetime of zero', { TOKEN_TTL: '0' }, [/^TOKEN_TTL: expected an integer from 1 to 3600 \(seconds\)$/]],
  ['a rate without a period', { MINT_RATE: '30' }, [/^MINT_RATE: expected a rate such as 30\/minute .* or off$/]],
  ['a rate of zero', { MINT_RATE_PER_IP: '0/minute' }, [/^MINT_RATE_PER_IP: expected a rate/]],
  ['a concurrency of zero', { TTS_CONCURRENCY: '0' }, [/^TTS_CONCURRENCY: expected an integer from 1/]],
  ['a wildcard origin', { CORS_ORIGINS: 'https://a.example,*' }, [/^CORS_ORIGINS: item 2: expected an exact origin/]],
  [
    'an origin with a path',
    { CORS_ORIGINS: 'https://a.example/' },
    [/^CORS_ORIGINS: item 1: expected an exact origin/],
  ],
  ['a proxy given by name', { TRUST_PROXY: 'nginx' }, [/^TRUST_PROXY: item 1: expected IP addresses or CIDR ranges/]],
  ['a host with a port', { HOST: '0.0.0.0:80' }, [/^HOST: expected an IP address or a host name/]],
  ['a public URL without a scheme', { PUBLIC_URL: 'voice.example.com' }, [/^PUBLIC_URL: expected a URL such as/]],
  ['not a Redis URL', { REDIS_URL: 'localhost:6379' }, [/^REDIS_URL: expected a URL such as redis:/]],
  [
    'an admin key',
    { CARTESIA_API_KEY: 'sk_car_admin_0123456789' },
    [/^CARTESIA_API_KEY: expected a standard API key; an admin key/],
  ],
  [
    'a key with a space',
    { CARTESIA_API_KEY: 'sk_car_01234567 89' },
    [/^CARTESIA_API_KEY: expected a Cartesia API key/],
  ],
  [
    'the second of two keys',
    { CARTESIA_API_KEY: `${API_KEY},short` },
    [/^CARTESIA_API_KEY: item 2: expected a Cartesia API key/],
  ],
  ['the same key twice', { CARTESIA_API_KEY: `${API_KEY},${API_KEY}` }, [/^CARTESIA_API_KEY: item 2: is repeated$/]],
  [
    'a short signing secret',
    { TOKEN_SIGNING_SECRET: 'x'.repeat(31) },
    [/^TOKEN_SIGNING_SECRET: expected a secret of at least 32 bytes/],
  ],
  [
    'a symmetric algorithm',
    { ...JWT, JWT_ALGORITHMS: 'RS256,HS256' },
    [/^JWT_ALGORITHMS: item 2: expected one of RS256/],
  ],
  ['no algorithm', { ...JWT, JWT_ALGORITHMS: 'none' }, [/^JWT_ALGORITHMS: item 1: expected one of RS256/]],
  ['an issuer without audience', { JWT_ISSUER: 'https://login.example.com' }, [/^JWT_AUDIENCE: is missing; /]],
  ['an audience without issuer', { JWT_AUDIENCE: 'voice' }, [/^JWT_ISSUER: is missing; /]],
  [
    'an http:// issuer beyond this machine',
    { ...JWT, JWT_ISSUER: 'http://login.example.com' },
    [/^JWT_ISSUER: expected an https:\/\/ URL/],
  ],
  [
    'an http:// key set beyond this machine',
    { ...JWT, JWT_JWKS_URL: 'http://login.example.com/keys' },
    [/^JWT_JWKS_URL: expected an https:\/\/ URL/],
  ],
  ['an app key hash without a name', { CLIENT_KEYS: KEY_HASH }, [/^CLIENT_KEYS: item 1: expected name=sha256:/]],
  [
    'an app key instead of its hash',
    { CLIENT_KEYS: 'web=cb_0123456789' },
    [/^CLIENT_KEYS: item 1: expected the hash of the app key/],
  ],
  ['an app key alone', { CLIENT_KEYS: 'cb_0123456789' }, [/^CLIENT_KEYS: item 1: expected the hash of the app key/]],
  [
    'an app key with an invalid name',
    { CLIENT_KEYS: `web app=${KEY_HASH}` },
    [/^CLIENT_KEYS: item 1: expected a name of/],
  ],
  [
    'one app key for two client apps',
    { CLIENT_KEYS: `web=${KEY_HASH.replace('9f', '9F')},ios=${KEY_HASH}` },
    [/^CLIENT_KEYS: item 2: has the same key as item 1$/],
  ],
  ['a final comma', { CLIENT_KEYS: `web=${KEY_HASH},` }, [/^CLIENT_KEYS: item 2: expected name=sha256:/]],
  [
    'a trusted client app that does not exist',
    { TRUSTED_CLIENTS: 'web,ios' },
    [
      /^TRUSTED_CLIENTS: item 2: expected the name of a client app in CLIENT_KEYS \(web\): only callers with an app key may name/,
    ],
  ],
  [
    'an unknown trusted client app beside a malformed app key',
    { CLIENT_KEYS: `web=${KEY_HASH},ios=nope`, TRUSTED_CLIENTS: 'ios,kiosk' },
    [
      /^CLIENT_KEYS: item 2: expected sha256:/,
      /^TRUSTED_CLIENTS: item 2: expected the name of a client app in CLIENT_KEYS \(web\): /,
    ],
  ],
  [
    'a nameless app key that could be the trusted one',
    { CLIENT_KEYS: `web=${KEY_HASH},${OTHER_KEY_HASH}`, TRUSTED_CLIENTS: 'ios' },
    [/^CLIENT_KEYS: item 2: expected name=sha256:/],
  ],
  [
    'a malformed app key beside an issuer that is not a URL and a lifetime above the longest',
    { ...JWT, CLIENT_KEYS: 'web=nope', JWT_ISSUER: 'login', TOKEN_TTL: '900', TOKEN_TTL_MAX: '300' },
    [/^CLIENT_KEYS: item 1: /, /^TOKEN_TTL: expected at most the longest life/, /^JWT_ISSUER: expected an https:/],
  ],
  [
    'app keys given twice beside a lifetime above the longest',
    { CLIENT_KEYS: `web=${KEY_HASH}`, CLIENT_KEYS_FILE: '/x', TOKEN_TTL: '900', TOKEN_TTL_MAX: '300' },
    [/^CLIENT_KEYS: is given twice/, /^TOKEN_TTL: expected at most the longest life/],
  ],
  [
    'an admin token that no header could carry',
    { ADMIN_TOKEN: ` ${ADMIN_TOKEN}` },
    [
      /^ADMIN_TOKEN: expected a secret of at least 32 printable ASCII characters, .* without leading, trailing or double spaces/,
    ],
  ],
  [
    'an issuer that is not a URL, beside a symmetric algorithm',
    { ...JWT, JWT_ISSUER: 'login', JWT_ALGORITHMS: 'HS256' },
    [/^JWT_ALGORITHMS: item 1: /, /^JWT_ISSUER: expected an https:\/\/ URL/],
  ],
  [
    'an issuer that is not a URL, without an audience',
    { JWT_ISSUER: 'login' },
    [/^JWT_AUDIENCE: is missing; /, /^JWT_ISSUER: expected an https:\/\/ URL/],
  ],
  [
    'an http:// key set beside an issuer that is not a URL: with a key set it may be any text',
    { ...JWT, JWT_ISSUER: 'login', JWT_JWKS_URL: 'http://login.example.com/keys' },
    [/^JWT_JWKS_URL: expected an https:\/\/ URL/],
  ],
];

for (const [why, env, expected] of REFUSED) {
  test(`refused: ${why}`, async (t) => {
    const problems = await problemsOf({ ...LEAST, ...env });
    t.equal(problems.length, expected.length, problems.join('\n'));
    for (const [i, pattern] of expected.entries()) t.match(problems[i], pattern);
  });
}

test('every problem is reported at once', async (t) => {
  const problems = await problemsOf({
    PORT: 'x',
    GRANTS: 'x',
    CARTESIA_API_KEY: 'x',
    TOKEN_TTL: 'x',
    JWT_ISSUER: 'http://x',
  });
  t.strictSame(
    problems.map((line) => line.split(':')[0]),
    ['PORT', 'CARTESIA_API_KEY', 'JWT_AUDIENCE', 'GRANTS', 'TOKEN_TTL', 'JWT_ISSUER'],
  );
});

test('a variable that applies to several client apps is reported once', async (t) => {
  const CLIENT_KEYS = `web=${KEY_HASH},ios=${OTHER_KEY_HASH}`;
  t.strictSame(await problemsOf({ ...LEAST, CLIENT_KEYS, TOKEN_TTL: '0' }), [
    'TOKEN_TTL: expected an integer from 1 to 3600 (seconds)',
  ]);
});

test('secrets are also read from files, without the trailing line break', async (t) => {
  const dir = t.testdir({
    key: `${API_KEY}\n`,
    ring: `${API_KEY}\r\nsk_car_second.key\r\n\r\n`,
    signing: `${SIGNING_SECRET}\n`,
    redis: 'redis://:password@localhost\n',
    clients: `web=${KEY_HASH}\nios=${OTHER_KEY_HASH}\n`,
  });
  const files = {
    TOKEN_SIGNING_SECRET_FILE: join(dir, 'signing'),
    REDIS_URL_FILE: join(dir, 'redis'),
    CLIENT_KEYS_FILE: join(dir, 'clients'),
  };
  const config = await configOf({ ...files, CARTESIA_API_KEY_FILE: join(dir, 'key') });
  t.strictSame(
    config.upstream.apiKeys.map((key) => key.reveal()),
    [API_KEY],
  );
  t.strictSame(
    config.tokens.signingSecrets.map((key) => key.reveal()),
    [SIGNING_SECRET],
  );
  t.equal(config.store.redisUrl?.reveal(), 'redis://:password@localhost');
  t.strictSame(
    config.clients.map(({ name }) => name),
    ['web', 'ios'],
  );
  const ring = await configOf({ ...files, CARTESIA_API_KEY_FILE: join(dir, 'ring') });
  t.strictSame(
    ring.upstream.apiKeys.map((key) => key.reveal()),
    [API_KEY, 'sk_car_second.key'],
  );
});

test('a secret given twice, or whose file cannot be read, is reported with setting and path', async (t) => {
  const dir = t.testdir({ key: API_KEY, empty: '\n', huge: 'x'.repeat(65_537), directory: {} });
  const { CLIENT_KEYS = '' } = LEAST;
  const problems = (path: string, more: Env = {}) => problemsOf({ CLIENT_KEYS, CARTESIA_API_KEY_FILE: path, ...more });
  t.strictSame(await problems(join(dir, 'key'), { CARTESIA_API_KEY: API_KEY }), [
    'CARTESIA_API_KEY: is given twice: use CARTESIA_API_KEY or CARTESIA_API_KEY_FILE',
  ]);
  t.strictSame(await problems(`${dir}/none`), [
    `CARTESIA_API_KEY_FILE: cannot read ${dir}/none: there is no such file`,
  ]);
  t.strictSame(await problems(`${dir}/key/x`), [
    `CARTESIA_API_KEY_FILE: cannot read ${dir}/key/x: there is no such file`,
  ]);
  t.strictSame(await problems(`${dir}/directory`), [
    `CARTESIA_API_KEY_FILE: cannot read ${dir}/directory: it is a directory`,
  ]);
  t.strictSame(await problems(`${dir}/empty`), [`CARTESIA_API_KEY_FILE: ${dir}/empty is empty`]);
  t.strictSame(await problems(`${dir}/huge`), [`CARTESIA_API_KEY_FILE: ${dir}/huge is larger than 65536 bytes`]);
  t.strictSame(await problems(API_KEY), [
    'CARTESIA_API_KEY_FILE: cannot read the file (its path is not shown: without / or ./ in front it may be the secret itself): there is no such file',
  ]);
});
