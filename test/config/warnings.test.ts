import { join } from 'node:path';
import { test } from 'tap';
import { API_KEY, type Env, KEY_HASH, LEAST, problemsOf, SIGNING_SECRET, warningsOf } from './loading.ts';

const PROXIED: Env = { DELIVERY: 'proxied', TOKEN_SIGNING_SECRET: SIGNING_SECRET };

const CASES: readonly (readonly [why: string, env: Env, warnings: readonly (string | RegExp)[]])[] = [
  ['nothing for the minimal environment', {}, []],
  [
    'listening beyond this machine without TLS',
    { HOST: '0.0.0.0' },
    [/^HOST: callers beyond this machine are served in the clear/],
  ],
  ['a host name counts as beyond this machine', { HOST: 'broker.internal' }, [/^HOST: callers beyond this machine/]],
  ['HTTPS required from a proxy in front', { HOST: '::', REQUIRE_HTTPS: 'true', TRUST_PROXY: '10.0.0.0/8' }, []],
  [
    'HTTPS required, with nothing that provides it',
    { REQUIRE_HTTPS: 'true' },
    [/^REQUIRE_HTTPS: every request will be refused/],
  ],
  [
    'everybody trusted as a proxy',
    { TRUST_PROXY: '10.0.0.1,::/0' },
    [/^TRUST_PROXY: every address is trusted as a proxy/],
  ],
  [
    'the management listener beyond this machine',
    { MANAGEMENT_HOST: '10.0.0.1' },
    [/^MANAGEMENT_HOST: the management listener is reachable/],
  ],
  ['a key of another kind', { CARTESIA_API_KEY: 'pk_0123456789' }, [/^CARTESIA_API_KEY: does not begin with sk_car_/]],
  [
    'anonymous callers without a rate limit',
    { ALLOW_ANONYMOUS: 'true', MINT_RATE: 'off', MINT_RATE_PER_IP: 'off' },
    [/^ALLOW_ANONYMOUS: anybody may mint without a limit: MINT_RATE and MINT_RATE_PER_IP are off$/],
  ],
  ['anonymous callers with only the rate by subject', { ALLOW_ANONYMOUS: 'true', MINT_RATE_PER_IP: 'off' }, []],
  ['anonymous callers with only the rate by address', { ALLOW_ANONYMOUS: 'true', MINT_RATE: 'off' }, []],
  ['no rates, and no anonymous callers', { MINT_RATE: 'off', MINT_RATE_PER_IP: 'off' }, []],
  [
    'all users of a backend at the rate of one address',
    { TRUSTED_CLIENTS: 'web' },
    [/^TRUSTED_CLIENTS: all its users share the one address of its backend, and together may mint 60\/minute: set/],
  ],
  ['a backend, and a rate that was set explicitly', { TRUSTED_CLIENTS: 'web', MINT_RATE_PER_IP: '600/minute' }, []],
  ['a backend without a rate', { TRUSTED_CLIENTS: 'web', MINT_RATE_PER_IP: 'off' }, []],
  [
    'proxied tokens, and no paths served',
    { ...PROXIED, PROXY: 'false' },
    [/^PROXY: access tokens of delivery `proxied` are for use here/],
  ],
  [
    'proxied tokens without a public URL',
    { ...PROXIED, HOST: '0.0.0.0', REQUIRE_HTTPS: 'true', TRUST_PROXY: '::1' },
    [/^PUBLIC_URL: is not set/],
  ],
  [
    'proxied tokens with a public URL',
    {
      ...PROXIED,
      HOST: '0.0.0.0',
      REQUIRE_HTTPS: 'true',
      TRUST_PROXY: '::1',
      PUBLIC_URL: 'https://voice.example.com',
    },
    [],
  ],
  ['proxied tokens', PROXIED, []],
  ['no paths served, and no tokens that need them', { PROXY: 'false' }, []],
  ['paths of Cartesia', { PROXY: 'true' }, []],
  ['shared state', { REDIS_URL: 'redis://localhost' }, []],
  [
    'concurrency of kinds that are carried',
    { GRANTS: 'tts,stt', TTS_CONCURRENCY: '1', STT_CONCURRENCY: '1', PROXY: 'true' },
    [],
  ],
  [
    'concurrency of a kind that nobody has the grant for',
    { TTS_CONCURRENCY: '1', STT_CONCURRENCY: '1', PROXY: 'true' },
    ['STT_CONCURRENCY: does nothing: no client app has the grant `stt`'],
  ],
  [
    'concurrency while nothing is carried',
    { TTS_CONCURRENCY: '1', STT_CONCURRENCY: '1' },
    [
      'TTS_CONCURRENCY: does nothing: the broker carries nothing while all delivery is `direct` and PROXY is not set',
      /^STT_CONCURRENCY: does nothing/,
    ],
  ],
  [
    'concurrency of what somebody has switched off',
    { ...PROXIED, PROXY: 'false', TTS_CONCURRENCY: '1' },
    [/^PROXY: /, 'TTS_CONCURRENCY: does nothing: the broker carries nothing while PROXY is false'],
  ],
  ['a misspelt variable', { TOKEN_TLL: '1' }, ['TOKEN_TLL: is not a setting of the broker: did you mean TOKEN_TTL?']],
  [
    'a misspelt variable that Kubernetes could have set for a service',
    { MANAGMENT_PORT: '9091' },
    ['MANAGMENT_PORT: is not a setting of the broker: did you mean MANAGEMENT_PORT?'],
  ],
  [
    'a file variable without its _FILE ending',
    { TLS_CERT: '/x', TLS_KEY: '/x' },
    [/^TLS_CERT: .*did you mean TLS_CERT_FILE\?$/, /^TLS_KEY: .*did you mean TLS_KEY_FILE\?$/],
  ],
  ['a lower-case variable', { port: '1' }, ['port: is not a setting of the broker: did you mean PORT?']],
  [
    'an unknown variable with a prefix of ours',
    { JWT_SECRET: 'x' },
    ['JWT_SECRET: is not a setting of the broker: the nearest is JWT_ISSUER'],
  ],
  ...(
    [
      ['CARTESIA_URL', 'CARTESIA_BASE_URL'],
      ['CARTESIA_API_VERSION', 'CARTESIA_VERSION'],
      ['CARTESIA_INSECURE', 'CARTESIA_ALLOW_INSECURE'],
      ['CARTESIA_KEY_FILE', 'CARTESIA_API_KEY_FILE'],
      ['TOKEN_MAX_TTL', 'TOKEN_TTL_MAX'],
      ['TOKEN_SECRET', 'TOKEN_SIGNING_SECRET'],
      ['JWT_ALG', 'JWT_ALGORITHMS'],
      ['BROKER_CONFIG_PATH', 'BROKER_CONFIG'],
      ['TRUSTED_CLIENTS_LIST', 'TRUSTED_CLIENTS'],
    ] as const
  ).map(
    ([name, nearest]) =>
      [
        `the nearest to ${name}`,
        { [name]: 'x' },
        [`${name}: is not a setting of the broker: the nearest is ${nearest}`],
      ] as const,
  ),
  [
    'an unknown variable with our name in it',
    { CARTESIA_REGION: 'x' },
    [/^CARTESIA_REGION: is not a setting of the broker: the nearest is CARTESIA_/],
  ],
  [
    'a file for a setting that is not a secret',
    { PORT_FILE: '/x' },
    ['PORT_FILE: is not read: only secrets can be given as files, and PORT is not one'],
  ],
  ['an empty unknown variable', { TOKEN_TLL: '' }, []],
  [
    'common variables of other programs',
    {
      PATH: '/bin',
      HOME: '/root',
      USER: 'x',
      PWD: '/',
      SHELL: 'sh',
      TERM: 'x',
      LANG: 'C',
      HOSTNAME: 'x',
      HTTP_PROXY: 'x',
      HTTPS_PROXY: 'x',
      NO_PROXY: 'x',
      ALL_PROXY: 'x',
      SSL_CERT_FILE: '/x',
      SSL_CERT_DIR: '/x',
      NODE_ENV: 'x',
      NODE_OPTIONS: 'x',
      NODE_EXTRA_CA_CERTS: '/x',
      CI: 'true',
      TZ: 'UTC',
      DEBUG: 'x',
      LOGNAME: 'x',
      EDITOR: 'vi',
      KUBERNETES_PORT: 'x',
      KUBERNETES_SERVICE_HOST: 'x',
      REDIS_HOST: 'x',
      OTEL_SERVICE_NAME: 'x',
    },
    [],
  ],
  [
    'variables that Kubernetes sets for a service with our name',
    {
      CARTESIA_BROKER_SERVICE_HOST: '10.0.0.1',
      CARTESIA_BROKER_SERVICE_PORT: '8080',
      CARTESIA_BROKER_SERVICE_PORT_HTTP: '8080',
      CARTESIA_BROKER_PORT: 'tcp://10.0.0.1:8080',
      CARTESIA_BROKER_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      CARTESIA_BROKER_PORT_8080_TCP_PROTO: 'tcp',
      CARTESIA_BROKER_PORT_8080_TCP_PORT: '8080',
      CARTESIA_BROKER_PORT_8080_TCP_ADDR: '10.0.0.1',
    },
    [],
  ],
];

for (const [why, env, expected] of CASES) {
  test(`warnings: ${why}`, async (t) => {
    const all = { ...LEAST, ...env };
    t.strictSame(await problemsOf(all), [], 'the configuration is accepted');
    const warnings = await warningsOf(all);
    t.equal(warnings.length, expected.length, warnings.join('\n'));
    for (const [i, wanted] of expected.entries()) {
      if (typeof wanted === 'string') t.equal(warnings[i], wanted);
      else t.match(warnings[i], wanted);
    }
  });
}

test('settings of a client app that have no effect or a risk are warned about', async (t) => {
  const source = `clients:
  a:
    auth: { keys: ["${KEY_HASH}"], query_credentials: true }
    content: { models: [sonic-3] }
proxy: true
`;
  const path = join(t.testdir({ 'broker.yaml': source }), 'broker.yaml');
  const warnings = await warningsOf({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: path });
  t.strictSame(
    warnings.map((line) => line.replace(`${path}:`, '')),
    [
      '3:96 clients.a.auth.query_credentials: credentials in a query string end up in the logs of proxies and in histories',
      "4:5 clients.a.content: restricts only what the broker carries: with Cartesia's own tokens (delivery `direct`) callers bypass it",
    ],
  );
});

test('no warning for a secret in a file, nor for content rules of carried requests', async (t) => {
  const source = `tokens: { signing_secret: ${SIGNING_SECRET} }
clients:
  a: { auth: { keys: ["${KEY_HASH}"] }, delivery: proxied, content: { models: [sonic-3] } }
`;
  const files = t.testdir({ 'broker.yaml': source, key: API_KEY });
  const env = { CARTESIA_API_KEY_FILE: join(files, 'key'), BROKER_CONFIG: join(files, 'broker.yaml') };
  t.strictSame([await problemsOf(env), await warningsOf(env)], [[], []]);
});

test('formats that Cartesia does not have are warned about, each at its place', async (t) => {
  const known = ['mp3', 'pcm_mulaw', 'wav/pcm_f32le', 'raw'];
  const unknown = ['mp3/pcm_s16le', 'pcm_s16le/raw', 'pcm_s32le', 'WAV', 'mp4'];
  const source = `tokens: { signing_secret: ${SIGNING_SECRET} }
clients:
  a:
    auth: { keys: ["${KEY_HASH}"] }
    delivery: proxied
    content:
      formats: [${[...unknown, ...known].join(', ')}]
`;
  const path = join(t.testdir({ 'broker.yaml': source }), 'broker.yaml');
  const warnings = await warningsOf({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: path });
  t.strictSame(
    warnings.map((line) => /:7:\d+ clients\.a\.content\.formats\[(\d)\]: is none of the formats/.exec(line)?.[1]),
    ['0', '1', '2', '3', '4'],
  );
});

test('one client app with proxied tokens is enough to warn that nothing is served here', async (t) => {
  const other = KEY_HASH.replace('9f', 'a0');
  const source = `tokens: { signing_secret: ${SIGNING_SECRET} }
proxy: false
clients:
  a: { auth: { keys: ["${KEY_HASH}"] }, delivery: proxied }
  b: { auth: { keys: ["${other}"] } }
`;
  const path = join(t.testdir({ 'broker.yaml': source }), 'broker.yaml');
  t.match(await warningsOf({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: path }), [/proxy: access tokens of delivery/]);
});

test('limits on carried requests are warned about where nothing is carried', async (t) => {
  const source = (more: string): string => `limits: { quota: { characters: 1/day, mints: 1/day } }
clients:
  a:
    auth: { keys: ["${KEY_HASH}"] }
    reads: true
    sockets: { idle: 60 }
    limits:
      mint: 1/minute
      concurrency: { reserved: 1 }
      quota: { call_seconds: { client: 1/day }, mints: { client: 1/day } }
${more}`;
  const said = async (more: string): Promise<string[]> => {
    const path = join(t.testdir({ 'broker.yaml': source(more) }), 'broker.yaml');
    const warnings = await warningsOf({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: path });
    return warnings.map((line) => line.replace(`${path}:`, '').replace(/^(\S+ \S+: \S+ nothing).*/, '$1'));
  };
  t.strictSame(await said(''), [
    '1:20 limits.quota.characters: does nothing',
    '9:7 clients.a.limits.concurrency: does nothing',
    '10:16 clients.a.limits.quota.call_seconds: does nothing',
    '6:5 clients.a.sockets: does nothing',
    '5:5 clients.a.reads: does nothing',
  ]);
  t.strictSame(await said('proxy: true'), [
    '10:16 clients.a.limits.quota.call_seconds: does nothing',
    '9:22 clients.a.limits.concurrency.reserved: keeps nothing',
  ]);
});

test('what waits for a limit, and what direct tokens alone use, is warned about where it does nothing', async (t) => {
  const signed = (client: string): string => (client.includes('proxied') ? `, signing_secret: ${SIGNING_SECRET}` : '');
  const source = (client: string, more: string): string => `tokens: { reuse: true${signed(client)} }
limits: { queue: { wait: 5 } }
sockets: { browser_refusals: event }
clients: { a: { auth: { keys: ["${KEY_HASH}"] }, ${client} } }
${more}`;
  const said = async (client: string, more: string): Promise<string[]> => {
    const path = join(t.testdir({ 'broker.yaml': source(client, more) }), 'broker.yaml');
    const warnings = await warningsOf({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: path });
    return warnings.map((line) => line.replace(`${path}:`, ''));
  };
  const proxied = 'delivery: proxied';
  const reuse = '1:11 tokens.reuse: does nothing: no client app has delivery `direct`';
  t.match(await said(proxied, ''), [
    reuse,
    /^2:11 limits\.queue: does nothing: neither the account \(TTS_CONCURRENCY and the like\) nor a client app has a limit$/,
  ]);
  t.strictSame(await said(`${proxied}, grants: [agent]`, 'upstream: { concurrency: { agent: 1 } }'), [reuse]);
  t.strictSame(await said(`${proxied}, limits: { concurrency: { max: 1 } }`, ''), [reuse]);
  t.strictSame(await said(`${proxied}, limits: { concurrency: { per_subject: 1 } }`, ''), [reuse]);
  t.strictSame(
    await said('delivery: direct', 'proxy: true\nupstream: { transport: native, concurrency: { tts: 1 } }'),
    [],
  );
  const nothing = 'does nothing: the broker carries nothing while all delivery is `direct` and PROXY is not set';
  t.strictSame(await said('delivery: direct', 'upstream: { transport: native }'), [
    `5:13 upstream.transport: ${nothing}`,
    `2:11 limits.queue: ${nothing}`,
    `3:1 sockets: ${nothing}`,
  ]);
});

test('warnings are reported along with problems', async (t) => {
  t.equal((await warningsOf({ HOST: '0.0.0.0', PORT: 'x' })).length, 1);
});
