import { join } from 'node:path';
import { type Test, test } from 'tap';
import { API_KEY, configOf, type Env, KEY_HASH, OTHER_KEY_HASH, problemsOf, SIGNING_SECRET } from './loading.ts';

const CLIENTS = `clients: { web: { auth: { keys: ["${KEY_HASH}"] } } }\n`;

/** Writes `broker.yaml` and the other files; returns the environment that names it and a reader of problems with short paths. */
function file(t: Test, source: string, others: Record<string, string> = {}) {
  const dir = t.testdir({ 'broker.yaml': source, ...others });
  const env: Env = { CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: join(dir, 'broker.yaml') };
  const problems = async (more: Env = {}) =>
    (await problemsOf({ ...env, ...more })).map((line) => line.replaceAll(`${dir}/`, ''));
  return { dir, env, problems };
}

/** The example settings of the documentation, in full. */
const USUAL_SOCKETS = {
  maxDurationMs: 3_600_000,
  endWithToken: false,
  idleMs: null,
  maxContexts: 50,
  maxCharacters: null,
};

const NO_BUDGET = { subject: null, client: null };
const NO_QUOTA = { characters: NO_BUDGET, audio_seconds: NO_BUDGET, call_seconds: NO_BUDGET, mints: NO_BUDGET };

const EXAMPLE = `upstream: { version: "2026-03-01", concurrency: { tts: 15, stt: 60 } }
clients:
  web:
    auth:
      jwt: [{ issuer: https://login.example.com, audience: voice, grants_from: { claim: scope, map: { speak: tts, listen: stt } } }]
    grants: [tts, stt]
    ttl: { default: 300, max: 900 }
    delivery: proxied
    origins: [https://app.example.com]
    content: { models: [sonic-3], voices: ["6ccbfb76-1fc6-48f7-b71d-91ac6298247b"], max_transcript: 2000 }
    limits: { mint: 30/minute, concurrency: { reserved: 2, max: 10, per_subject: 2 }, quota: { characters: { subject: 20000/day } } }
  backend:
    trusted: true
    auth: { keys: ["${KEY_HASH}"] }
    grants: [tts]
`;

test('several client apps, each with its own policy', async (t) => {
  const { env } = file(t, EXAMPLE);
  const config = await configOf({ ...env, TOKEN_SIGNING_SECRET: SIGNING_SECRET });
  t.strictSame(config.upstream.concurrency, { tts: 15, stt: 60, agent: null });
  t.equal(config.proxy, true);
  t.strictSame(config.clients, [
    {
      name: 'web',
      trusted: false,
      auth: {
        keys: [],
        jwt: [
          {
            issuer: 'https://login.example.com',
            audience: ['voice'],
            jwksUrl: null,
            algorithms: ['RS256', 'ES256', 'EdDSA'],
            subjectClaim: 'sub',
            toleranceSeconds: 30,
            require: {},
            grantsFrom: { claim: 'scope', map: { speak: ['tts'], listen: ['stt'] } },
          },
        ],
        anonymous: false,
        queryCredentials: false,
      },
      grants: ['tts', 'stt'],
      defaultGrants: ['tts', 'stt'],
      ttl: { defaultSeconds: 300, maxSeconds: 900 },
      delivery: 'proxied',
      origins: ['https://app.example.com'],
      content: {
        models: ['sonic-3'],
        voices: ['6ccbfb76-1fc6-48f7-b71d-91ac6298247b'],
        languages: null,
        formats: null,
        maxTranscript: 2000,
        agents: null,
        agentOverrides: [],
      },
      sockets: USUAL_SOCKETS,
      reads: false,
      limits: {
        mint: { max: 30, windowMs: 60_000 },
        concurrency: { reserved: 2, max: 10, perSubject: 2, weight: 1 },
        quota: { ...NO_QUOTA, characters: { subject: { max: 20_000, window: 'day' }, client: null } },
      },
    },
    {
      name: 'backend',
      trusted: true,
      auth: { keys: [KEY_HASH.slice(7)], jwt: [], anonymous: false, queryCredentials: false },
      grants: ['tts'],
      defaultGrants: ['tts'],
      ttl: { defaultSeconds: 300, maxSeconds: 900 },
      delivery: 'direct',
      origins: [],
      content: {
        models: null,
        voices: null,
        languages: null,
        formats: null,
        maxTranscript: null,
        agents: null,
        agentOverrides: [],
      },
      sockets: USUAL_SOCKETS,
      reads: false,
      limits: {
        mint: { max: 30, windowMs: 60_000 },
        concurrency: { reserved: 0, max: null, perSubject: null, weight: 1 },
        quota: NO_QUOTA,
      },
    },
  ]);
});

test('settings that only the file has', async (t) => {
  const { env, dir } = file(
    t,
    `
listen: { drain_delay: 0, drain_deadline: 7 }
upstream: { timeout: 3, connections: 4, api_key: [${API_KEY}] }
tokens: { reuse: true }
clients:
  web:
    auth:
      query_credentials: true
      jwt:
        - issuer: "https://login.example.com"
          audience: [voice, other]
          subject_claim: email
          tolerance: 0
          require: { azp: [web, ios], tenant: acme, __proto__: odd }
          grants_from: { claim: roles, map: { all: [tts, stt] } }
    grants: [tts, stt, agent]
    default_grants: [stt]
`,
  );
  const config = await configOf({ BROKER_CONFIG: env['BROKER_CONFIG'] ?? dir });
  t.match(config.listen, { drainDelayMs: 0, drainDeadlineMs: 7_000 });
  t.match(config.upstream, { deadlineMs: 3_000, connections: 4 });
  t.equal(config.tokens.reuse, true);
  const [web] = config.clients;
  t.strictSame(web?.defaultGrants, ['stt']);
  t.equal(web?.auth.queryCredentials, true);
  const [jwt] = web?.auth.jwt ?? [];
  t.match(jwt, { audience: ['voice', 'other'], subjectClaim: 'email', toleranceSeconds: 0 });
  t.strictSame(Object.entries(jwt?.require ?? {}), [
    ['azp', ['web', 'ios']],
    ['tenant', ['acme']],
    ['__proto__', ['odd']],
  ]);
  t.strictSame(jwt?.grantsFrom, { claim: 'roles', map: { all: ['tts', 'stt'] } });
});

test('a JSON file is read too', async (t) => {
  const { env } = file(t, JSON.stringify({ clients: { web: { auth: { anonymous: true } } }, log: { level: 'warn' } }));
  t.equal((await configOf(env)).log.level, 'warn');
});

test('anchors and aliases may be used', async (t) => {
  const { env } = file(
    t,
    `clients:\n  a: { auth: { keys: ["${KEY_HASH}"] }, ttl: &life { max: 60 } }\n  b: { auth: { anonymous: true }, ttl: *life }\n`,
  );
  t.strictSame(
    (await configOf(env)).clients.map(({ ttl }) => ttl.maxSeconds),
    [60, 60],
  );
});

test('an empty file leaves every setting to the environment', async (t) => {
  for (const source of ['', '# nothing\n', '---\n', '{}']) {
    const { env } = file(t, source);
    t.strictSame(
      (await configOf({ ...env, ALLOW_ANONYMOUS: 'true' })).clients.map(({ name }) => name),
      ['default'],
    );
  }
});

test('the environment overrides the file, setting by setting', async (t) => {
  const source = `listen: { host: "::1", port: 1 }\nupstream: { api_key: [sk_car_of.the.file, sk_car_another], version: "2025-11-04" }\n${CLIENTS}`;
  const { env } = file(t, source);
  const config = await configOf({ ...env, PORT: '2', CARTESIA_API_KEY: API_KEY });
  t.match(config.listen, { host: '::1', port: 2 });
  t.equal(config.upstream.version, '2025-11-04');
  t.strictSame(
    config.upstream.apiKeys.map((key) => key.reveal()),
    [API_KEY],
  );
});

test('an invalid variable is reported as that variable, even where the file has the same setting', async (t) => {
  const { problems } = file(t, `upstream: { api_key: [sk_car_of.the.file, short] }\n${CLIENTS}`);
  t.strictSame(await problems({ CARTESIA_API_KEY: `${API_KEY},x` }), [
    'CARTESIA_API_KEY: item 2: expected a Cartesia API key: 8 to 512 printable ASCII characters without spaces, quotes or commas',
  ]);
});

test('a variable that describes a client app conflicts with `clients` in the file, and each is reported by name', async (t) => {
  const { problems } = file(t, CLIENTS);
  const more = { GRANTS: 'tts', CLIENT_KEYS: `web=${KEY_HASH}`, MINT_RATE: 'off', MINT_RATE_PER_IP: 'off' };
  t.strictSame(
    (await problems(more)).map((line) => line.split(':')[0]),
    ['CLIENT_KEYS', 'GRANTS', 'MINT_RATE'],
  );
});

test('a file without clients may be combined with variables that describe one', async (t) => {
  const { env } = file(t, 'log: { level: warn }\n');
  t.strictSame(
    (await configOf({ ...env, CLIENT_KEYS: `web=${KEY_HASH}` })).clients.map(({ name }) => name),
    ['web'],
  );
});

test('secrets are read from files, relative to the configuration file', async (t) => {
  const { env, dir } = file(
    t,
    `
upstream: { api_key_file: secrets.txt }
tokens: { signing_secret_file: ./signing.txt }
store: { redis_url_file: redis.txt }
clients: { web: { auth: { keys_file: keys.txt } } }
`,
    {
      'secrets.txt': `${API_KEY}\n`,
      'signing.txt': `${SIGNING_SECRET}\n`,
      'redis.txt': 'redis://:pw@localhost\n',
      'keys.txt': `${KEY_HASH}\n${OTHER_KEY_HASH}\n`,
    },
  );
  const config = await configOf({ BROKER_CONFIG: env['BROKER_CONFIG'] ?? dir });
  t.strictSame(
    config.upstream.apiKeys.map((key) => key.reveal()),
    [API_KEY],
  );
  t.strictSame(
    config.tokens.signingSecrets.map((key) => key.reveal()),
    [SIGNING_SECRET],
  );
  t.equal(config.store.redisUrl?.reveal(), 'redis://:pw@localhost');
  t.strictSame(config.clients[0]?.auth.keys, [KEY_HASH.slice(7), OTHER_KEY_HASH.slice(7)]);
});

test('a secret file that the environment overrides is not read', async (t) => {
  const { env } = file(t, `upstream: { api_key_file: missing.txt }\n${CLIENTS}`);
  t.strictSame(
    (await configOf(env)).upstream.apiKeys.map((key) => key.reveal()),
    [API_KEY],
  );
});

test('an unreadable configuration file is a problem, and the environment is still checked', async (t) => {
  const dir = t.testdir({ directory: {}, 'huge.yaml': '#'.repeat(1_048_577) });
  const problems = (path: string) => problemsOf({ CARTESIA_API_KEY: API_KEY, PORT: 'x', BROKER_CONFIG: path });
  const port = 'PORT: expected an integer from 0 to 65535';
  t.strictSame(await problems(`${dir}/none`), [`BROKER_CONFIG: cannot read ${dir}/none: there is no such file`, port]);
  t.strictSame(await problems(`${dir}/directory`), [
    `BROKER_CONFIG: cannot read ${dir}/directory: it is a directory`,
    port,
  ]);
  t.strictSame(await problems(`${dir}/huge.yaml`), [
    `BROKER_CONFIG: ${dir}/huge.yaml is larger than 1048576 bytes`,
    port,
  ]);
});

const REFUSED: readonly (readonly [why: string, source: string, problems: readonly string[]])[] = [
  [
    'wrong names inside a list',
    'clients: { web: { auth: { jwt: [{ issuer: "https://a.example", audience: v, audiance: w, require: { "": x } }] } } }\n',
    [
      'broker.yaml:1:77 clients.web.auth.jwt[0].audiance: unknown setting; did you mean audience?',
      'broker.yaml:1:101 clients.web.auth.jwt[0].require.*: invalid name: expected a string of 1 to 512 characters without line breaks',
    ],
  ],
  ['a misspelt name', `lisen: {}\n${CLIENTS}`, ['broker.yaml:1:1 lisen: unknown setting; did you mean listen?']],
  [
    'a misspelt name at a deeper level',
    'clients:\n  web:\n    auth: { anonymous: true }\n    ttl: { maxx: 1 }\n',
    ['broker.yaml:4:12 clients.web.ttl.maxx: unknown setting; did you mean max?'],
  ],
  [
    'an unknown name',
    `management: { password: 1 }\n${CLIENTS}`,
    ['broker.yaml:1:15 management.password: unknown setting; known here: host, port, admin_token'],
  ],
  [
    'an unknown name that could be a secret, which is not repeated',
    `management: { hunter2: 1, abcdefghijklmnopqrstu: 1 }\n${CLIENTS}`,
    [
      'broker.yaml:1:15 management.*: unknown setting; known here: host, port, admin_token',
      'broker.yaml:1:27 management.*: unknown setting; known here: host, port, admin_token',
    ],
  ],
  [
    'a duplicate name',
    `proxy: true\nproxy: false\n${CLIENTS}`,
    ['broker.yaml:2:1 BROKER_CONFIG: the same name occurs twice'],
  ],
  [
    'a duplicate name in JSON',
    `{ "proxy": true, "proxy": false }`,
    ['broker.yaml:1:18 BROKER_CONFIG: the same name occurs twice'],
  ],
  [
    'text instead of a number',
    `listen: { port: "8080" }\n${CLIENTS}`,
    ['broker.yaml:1:11 listen.port: expected an integer from 0 to 65535'],
  ],
  [
    'a number instead of text',
    `listen: { host: 1 }\n${CLIENTS}`,
    ['broker.yaml:1:11 listen.host: expected an IP address or a host name, without brackets or a port (as a string)'],
  ],
  [
    'a fraction',
    `listen: { port: 80.5 }\n${CLIENTS}`,
    ['broker.yaml:1:11 listen.port: expected an integer from 0 to 65535'],
  ],
  [
    'infinity',
    `listen: { port: .inf }\n${CLIENTS}`,
    ['broker.yaml:1:11 listen.port: expected an integer from 0 to 65535'],
  ],
  ['yes instead of true', `proxy: yes\n${CLIENTS}`, ['broker.yaml:1:1 proxy: expected true or false']],
  [
    'a date written as a number',
    `upstream: { version: 20260301 }\n${CLIENTS}`,
    ['broker.yaml:1:13 upstream.version: expected a calendar date such as 2026-03-01 (as a string)'],
  ],
  [
    'a missing value',
    `log: { level: }\n${CLIENTS}`,
    ['broker.yaml:1:8 log.level: expected one of fatal, error, warn, info, debug, trace, silent (as a string)'],
  ],
  [
    'a heading with nothing below it',
    `listen:\n${CLIENTS}`,
    ['broker.yaml:1:1 listen: expected settings by name (a mapping)'],
  ],
  [
    'a list instead of a mapping',
    `listen: [1]\n${CLIENTS}`,
    ['broker.yaml:1:1 listen: expected settings by name (a mapping)'],
  ],
  [
    'clients as a list',
    'clients: [web]\n',
    ['broker.yaml:1:1 clients: expected names with their settings (a mapping)'],
  ],
  [
    'a word instead of a list',
    `clients: { web: { auth: { anonymous: true }, grants: tts } }\n`,
    ['broker.yaml:1:46 clients.web.grants: expected a list; for each item: expected one of tts, stt, agent'],
  ],
  [
    'a word instead of a list of mappings',
    `clients: { web: { auth: { jwt: everybody } } }\n`,
    ['broker.yaml:1:27 clients.web.auth.jwt: expected a list; for each item: expected a mapping'],
  ],
  [
    'a price in words',
    `usage: { prices: { million_characters: much } }\n${CLIENTS}`,
    ['broker.yaml:1:20 usage.prices.million_characters: expected a number from 0 to 1000000000'],
  ],
  [
    'no grants',
    `clients: { web: { auth: { anonymous: true }, grants: [] } }\n`,
    ['broker.yaml:1:46 clients.web.grants: expected at least one item'],
  ],
  [
    'an unknown grant',
    `clients: { web: { auth: { anonymous: true }, grants: [tts, sing] } }\n`,
    ['broker.yaml:1:60 clients.web.grants[1]: expected one of tts, stt, agent'],
  ],
  [
    'an invalid name of a client app',
    `clients: { "web app": { auth: { anonymous: true } }, web: { auth: { anonymous: true } } }\n`,
    [
      'broker.yaml:1:12 clients.*: invalid name: expected a name of 1 to 40 letters, digits, "." or "-" that begins with a letter',
    ],
  ],
  [
    'mistakes below an invalid name, which might be a secret',
    `clients: { "sk_car_by mistake": { auth: { keys: [x] }, grants: [sing], ttl: { max: 0 }, reads: true } }\n`,
    [
      'broker.yaml:1:12 clients.*: invalid name: expected a name of 1 to 40 letters, digits, "." or "-" that begins with a letter',
      'broker.yaml:1:50 clients.*.auth.keys[0]: expected sha256: followed by 64 hexadecimal digits (made by `cartesia-broker key`)',
      'broker.yaml:1:65 clients.*.grants[0]: expected one of tts, stt, agent',
      'broker.yaml:1:79 clients.*.ttl.max: expected an integer from 1 to 3600 (seconds)',
    ],
  ],
  ['no client apps', 'clients: {}\n', ['broker.yaml:1:1 clients: nobody could call: expected at least one client app']],
  [
    'a client app that nobody can call',
    'clients: { web: { grants: [tts] } }\n',
    ['broker.yaml:1:12 clients.web.auth: nobody could call: expected `keys`, `jwt` or `anonymous: true`'],
  ],
  [
    'a JWT entry without issuer and audience',
    'clients:\n  web:\n    auth:\n      jwt:\n        - { subject_claim: sub }\n',
    [
      'broker.yaml:5:11 clients.web.auth.jwt[0].issuer: is missing; expected a string of 1 to 512 characters without line breaks. The issuer of end-user JWTs, exactly as in their `iss`, including any final slash. A URL, unless `jwks_url` is set.',
      'broker.yaml:5:11 clients.web.auth.jwt[0].audience: is missing; expected a string of 1 to 512 characters without line breaks. The audience that `aud` must name, so that only tokens meant for this broker are accepted. Several = any of them.',
    ],
  ],
  [
    'a symmetric algorithm',
    'clients: { web: { auth: { jwt: [{ issuer: "https://a.example", audience: b, algorithms: [HS256] }] } } }\n',
    [
      'broker.yaml:1:90 clients.web.auth.jwt[0].algorithms[0]: expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519',
    ],
  ],
  [
    'too much tolerance',
    'clients: { web: { auth: { jwt: [{ issuer: "https://a.example", audience: b, tolerance: 61 }] } } }\n',
    ['broker.yaml:1:77 clients.web.auth.jwt[0].tolerance: expected an integer from 0 to 60 (seconds)'],
  ],
  [
    'an invalid claim requirement, whose claim is not repeated',
    'clients: { web: { auth: { jwt: [{ issuer: "https://a.example", audience: b, require: { azp: 1 } }] } } }\n',
    [
      'broker.yaml:1:88 clients.web.auth.jwt[0].require.*: expected a string of 1 to 512 characters without line breaks (as a string)',
    ],
  ],
  [
    'a secret given twice',
    `upstream: { api_key: ${API_KEY}, api_key_file: /x }\ntokens: { signing_secret: ${SIGNING_SECRET}, signing_secret_file: /x }\n${CLIENTS}`,
    ['broker.yaml:2:67 tokens.signing_secret_file: is given twice: use signing_secret or signing_secret_file'],
  ],
  [
    'a secret file that does not exist',
    `store: { redis_url_file: ./none }\n${CLIENTS}`,
    ['broker.yaml:1:10 store.redis_url_file: cannot read ./none: there is no such file'],
  ],
  [
    'a number as the path of a secret file',
    `store: { redis_url_file: 1 }\n${CLIENTS}`,
    ['broker.yaml:1:10 store.redis_url_file: expected the path of a file'],
  ],
  ['a list at the top', '- a\n', ['broker.yaml:1:1 BROKER_CONFIG: expected settings by name (a mapping)']],
  ['text at the top', 'hello\n', ['broker.yaml:1:1 BROKER_CONFIG: expected settings by name (a mapping)']],
  [
    'two documents',
    `${CLIENTS}---\n${CLIENTS}`,
    ['broker.yaml:2:1 BROKER_CONFIG: expected one document, without further ---'],
  ],
  [
    'a tag',
    `proxy: !!js/function "x"\n${CLIENTS}`,
    ['broker.yaml:1:8 BROKER_CONFIG: tags (words that begin with !) are not supported'],
  ],
  ['a tab', `listen:\n\tport: 1\n`, ['broker.yaml:2:1 BROKER_CONFIG: indent with spaces, not with tabs']],
  [
    'an unclosed bracket',
    'listen: { port: 1 ',
    [
      'broker.yaml:1:19 BROKER_CONFIG: the indentation does not fit that of the lines around it, or a bracket before it is not closed',
    ],
  ],
  [
    'an unclosed quote',
    'listen: { host: "localhost }',
    [
      'broker.yaml:1:29 BROKER_CONFIG: something is missing here: a colon, a space after one, a quote or a bracket',
      'broker.yaml:1:29 BROKER_CONFIG: the indentation does not fit that of the lines around it, or a bracket before it is not closed',
    ],
  ],
  [
    'an alias without an anchor',
    `proxy: *x\n${CLIENTS}`,
    ['broker.yaml:1:1 BROKER_CONFIG: an alias without its anchor, values nested too deeply, or too many values'],
  ],
  [
    'an alias of itself',
    'clients: &a { b: *a }\n',
    ['broker.yaml:1:15 BROKER_CONFIG: an alias without its anchor, values nested too deeply, or too many values'],
  ],
];

for (const [why, source, expected] of REFUSED) {
  test(`refused: ${why}`, async (t) => {
    t.strictSame(await file(t, source).problems(), expected);
  });
}

test('prices are whole or fractional numbers', async (t) => {
  const { env } = file(t, `usage: { prices: { million_characters: 50, hour_of_audio: 0.36 } }\n${CLIENTS}`);
  const { usage } = await configOf(env);
  t.strictSame(usage.prices, { characters: 50, audioSeconds: 0.36, callSeconds: null });
});

test('a small file of aliases does not expand into a huge one', async (t) => {
  const levels = Array.from({ length: 12 }, (_, level) => {
    const items = Array.from({ length: 10 }, () => (level === 0 ? 'x' : `*a${level - 1}`));
    return `a${level}: &a${level} [${items.join(', ')}]`;
  });
  const problems = await file(t, levels.join('\n')).problems();
  t.equal(problems.length, 1);
  t.match(problems[0], /nested too deeply, or too many values$/);
});

test('every problem in the file and the environment is reported at once', async (t) => {
  const source = `lisen: 1\nproxy: 1\nclients:\n  web: { auth: { anonymous: 1 }, ttl: { max: 0 } }\n  ios: { delivery: mail }\n`;
  const problems = await file(t, source).problems({ PORT: 'x', NODE_TLS_REJECT_UNAUTHORIZED: '0' });
  t.strictSame(
    problems.map((line) => line.replace(/: .*/, '')),
    [
      'NODE_TLS_REJECT_UNAUTHORIZED',
      'broker.yaml:1:1 lisen',
      'PORT',
      'broker.yaml:2:1 proxy',
      'broker.yaml:4:18 clients.web.auth.anonymous',
      'broker.yaml:4:41 clients.web.ttl.max',
      'broker.yaml:5:10 clients.ios.delivery',
      'broker.yaml:5:3 clients.ios.auth',
    ],
  );
});
