// Every setting either always has an effect, or there is a warning where it has none.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { test } from 'tap';
import { SETTINGS } from '../../src/config/setting-index.ts';
import { createCertificate } from '../../src/simulator/certificate.ts';
import { API_KEY, KEY_HASH, LEAST, OTHER_KEY_HASH, problemsOf, SIGNING_SECRET, warningsOf } from './loading.ts';

/** By path; those of `clients.*` are set for the client app `a`. */
type Values = Readonly<Record<string, unknown>>;

const ROOT = join(import.meta.dirname, '../..');
const CERTIFICATE = createCertificate(Date.now()).cert;
const PROXIED: Values = { 'tokens.signing_secret': SIGNING_SECRET, 'clients.*.delivery': 'proxied' };
const PROXIED_TTS: Values = { ...PROXIED, 'clients.*.grants': ['tts'] };
const PROXIED_STT: Values = { ...PROXIED, 'clients.*.grants': ['stt'] };
const PROXIED_AGENT: Values = { ...PROXIED, 'clients.*.grants': ['agent'] };
const CARRIED: Values = { proxy: true };
const INSECURE: Values = { 'upstream.base_url': 'http://127.0.0.1:9', 'upstream.allow_insecure': true };
const OTHER: Values = { 'clients.b.auth.keys': [OTHER_KEY_HASH] };
const CONTESTED: Values = { ...CARRIED, ...OTHER, 'upstream.concurrency.tts': 5 };

/** A value of each setting, where it does nothing, and where it does something. */
const IDLE: Readonly<Record<string, readonly [value: unknown, idle: readonly Values[], active: readonly Values[]]>> = {
  'listen.public_url': ['https://voice.example.com', [{}], [PROXIED, CARRIED, { ...PROXIED, proxy: false }]],
  'upstream.allow_insecure': [true, [{}], [{ 'upstream.base_url': 'http://127.0.0.1:9' }]],
  'upstream.timeout': [6, [PROXIED], [{}, { ...PROXIED, ...OTHER }]],
  'upstream.connections': [6, [PROXIED], [{}, { ...PROXIED, ...OTHER }]],
  'upstream.ca_file': ['ca.pem', [INSECURE], [{}]],
  'upstream.transport': ['native', [{}], [PROXIED, CARRIED]],
  'upstream.concurrency.tts': [5, [{}, PROXIED_STT], [PROXIED_TTS, CARRIED]],
  'upstream.concurrency.stt': [5, [{}, PROXIED_TTS], [PROXIED_STT]],
  'upstream.concurrency.agent': [5, [{}, PROXIED_TTS], [PROXIED_AGENT]],
  'tokens.signing_secret': [SIGNING_SECRET, [{}, { proxy: false }], [PROXIED, CARRIED]],
  'tokens.reuse': [true, [PROXIED], [{}, { ...PROXIED, ...OTHER }]],
  'limits.queue.wait': [5, [{}, PROXIED], [{ ...CARRIED, 'upstream.concurrency.tts': 5 }]],
  'limits.queue.context_wait': [
    5,
    [{}, PROXIED, { ...PROXIED_STT, 'upstream.concurrency.stt': 5 }],
    [
      { ...CARRIED, 'upstream.concurrency.tts': 5 },
      { ...PROXIED, 'clients.*.limits.concurrency.max': 5 },
    ],
  ],
  'limits.queue.length': [5, [{}, PROXIED], [{ ...PROXIED_STT, 'clients.*.limits.concurrency.per_subject': 5 }]],
  'limits.quota.characters': ['1/day', [{}, PROXIED_STT], [PROXIED_TTS]],
  'limits.quota.audio_seconds': ['1/day', [{}, PROXIED_AGENT], [PROXIED_STT]],
  'limits.quota.call_seconds': ['1/day', [{}, PROXIED_TTS], [PROXIED_AGENT]],
  'store.redis_ca_file': ['ca.pem', [{}], [{ 'store.redis_url': 'rediss://localhost' }]],
  'store.prefix': ['voice', [{}], [{ 'store.redis_url': 'redis://localhost' }]],
  'usage.prices.million_characters': [1, [{}], [{ 'management.admin_token': SIGNING_SECRET }]],
  'usage.prices.hour_of_audio': [1, [{}], [{ 'management.admin_token': SIGNING_SECRET }]],
  'usage.prices.hour_of_calls': [1, [{}], [{ 'management.admin_token': SIGNING_SECRET }]],
  'sockets.browser_refusals': ['event', [{}], [PROXIED, CARRIED]],
  'clients.*.auth.query_credentials': [
    true,
    [{}, { ...PROXIED, 'clients.*.auth.keys': [], 'clients.*.auth.anonymous': true }],
    [PROXIED, CARRIED],
  ],
  'clients.*.content.models': [['sonic-3'], [PROXIED_AGENT, { ...PROXIED, proxy: false }], [PROXIED_TTS, PROXIED_STT]],
  'clients.*.content.languages': [['en'], [PROXIED_AGENT], [PROXIED_TTS, PROXIED_STT]],
  'clients.*.content.voices': [['a'], [PROXIED_STT, PROXIED_AGENT], [PROXIED_TTS]],
  'clients.*.content.formats': [['wav'], [PROXIED_STT, PROXIED_AGENT], [PROXIED_TTS]],
  'clients.*.content.max_transcript': [5, [PROXIED_STT, PROXIED_AGENT], [PROXIED_TTS]],
  'clients.*.content.agents': [['a'], [PROXIED_TTS, PROXIED_STT], [PROXIED_AGENT]],
  'clients.*.content.agent_overrides': [['voice'], [PROXIED_TTS, PROXIED_STT], [PROXIED_AGENT]],
  'clients.*.sockets.max_duration': [5, [{}], [PROXIED, CARRIED]],
  'clients.*.sockets.end_with_token': [
    true,
    [{}, { ...CARRIED, 'clients.*.auth.keys': [], 'clients.*.auth.anonymous': true }],
    [PROXIED, { ...PROXIED, 'clients.*.auth.keys': [], 'clients.*.auth.anonymous': true }],
  ],
  'clients.*.sockets.idle': [5, [{}], [PROXIED_AGENT, CARRIED]],
  'clients.*.sockets.max_contexts': [5, [{}, PROXIED_STT], [PROXIED_TTS]],
  'clients.*.sockets.max_characters': [5, [{}, PROXIED_AGENT], [PROXIED_TTS]],
  'clients.*.reads': [true, [{}], [PROXIED]],
  'clients.*.limits.concurrency.reserved': [
    1,
    [
      {},
      { ...CARRIED, 'upstream.concurrency.tts': 5 },
      { ...CARRIED, ...OTHER },
      { ...CONTESTED, 'clients.b.grants': ['stt'] },
    ],
    [CONTESTED],
  ],
  'clients.*.limits.concurrency.max': [5, [{}], [CARRIED]],
  'clients.*.limits.concurrency.per_subject': [5, [{}], [CARRIED]],
  'clients.*.limits.concurrency.weight': [5, [{}, { ...CARRIED, 'upstream.concurrency.tts': 5 }], [CONTESTED]],
  'clients.*.limits.concurrency.priority': ['high', [{}, { ...CARRIED, ...OTHER }], [CONTESTED]],
  ...Object.fromEntries(
    ['subject', 'client'].flatMap((whose) => [
      [`clients.*.limits.quota.characters.${whose}`, ['1/day', [{}, PROXIED_STT], [PROXIED_TTS]]],
      [`clients.*.limits.quota.audio_seconds.${whose}`, ['1/day', [{}, PROXIED_TTS], [PROXIED_STT]]],
      [`clients.*.limits.quota.call_seconds.${whose}`, ['1/day', [{}, PROXIED_STT], [PROXIED_AGENT]]],
    ]),
  ),
};

/** Whatever else is set: what a caller or an operator can see depends on it. A group stands for everything in it. */
const ALWAYS = [
  'listen.host',
  'listen.port',
  'listen.tls',
  'listen.trust_proxy',
  'listen.require_https',
  'listen.drain_delay',
  'listen.drain_deadline',
  'management',
  'upstream.api_key',
  'upstream.base_url',
  'upstream.version',
  'upstream.version_policy',
  'limits.mint_per_address',
  'limits.quota.mints',
  'store.redis_url',
  'log.level',
  'proxy',
  'clients.*.trusted',
  'clients.*.auth.keys',
  'clients.*.auth.jwt',
  'clients.*.auth.anonymous',
  'clients.*.grants',
  'clients.*.default_grants',
  'clients.*.ttl',
  'clients.*.delivery',
  'clients.*.origins',
  'clients.*.limits.mint',
  'clients.*.limits.quota.mints',
];
/** Given only together with others; test/config/rules.test.ts has them. */
const IN_PAIRS = ['store.redis_cert_file', 'store.redis_key_file'];

function fileOf(values: Values): string {
  const file: Record<string, unknown> = {};
  for (const [path, value] of Object.entries({ 'clients.*.auth.keys': [KEY_HASH], ...values })) {
    const keys = path.replace('*', 'a').split('.');
    let holder = file;
    for (const key of keys.slice(0, -1)) {
      holder[key] ??= {};
      holder = holder[key] as Record<string, unknown>; // just made
    }
    holder[keys.at(-1) ?? ''] = value;
  }
  return JSON.stringify(file);
}

test('every setting is in one of the lists', async (t) => {
  for (const { path } of SETTINGS) {
    const name = path.join('.');
    const isAlways = ALWAYS.some((one) => name === one || name.startsWith(`${one}.`));
    const lists = [isAlways, name in IDLE, IN_PAIRS.includes(name)].filter(Boolean);
    t.equal(lists.length, 1, name);
  }
  t.equal(Object.keys(IDLE).length + IN_PAIRS.length < SETTINGS.length, true);
});

for (const [name, [value, idle, active]] of Object.entries(IDLE)) {
  test(`${name} is warned about where it does nothing, and only there`, async (t) => {
    const said = async (values: Values): Promise<string[]> => {
      const source = fileOf({ ...values, [name]: value });
      const path = join(t.testdir({ 'broker.json': source, 'ca.pem': CERTIFICATE }), 'broker.json');
      const env = { CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: path };
      t.strictSame(await problemsOf(env), [], source);
      const setting = name.replace('*', 'a');
      return (await warningsOf(env))
        .map((line) => /^\S+ (\S+): \S+ nothing(?: free)?: /.exec(line)?.[1])
        .filter((one) => one !== undefined && (one === setting || setting.startsWith(`${one}.`))) as string[];
    };
    for (const values of idle) t.equal((await said(values)).length, 1, `does nothing with ${JSON.stringify(values)}`);
    for (const values of active) t.strictSame(await said(values), [], `does something with ${JSON.stringify(values)}`);
  });
}

test('a wrong value makes no other setting seem to do nothing', async (t) => {
  const path = join(t.testdir({ 'broker.json': fileOf({ 'clients.*.delivery': 'proxyed' }) }), 'broker.json');
  const env = { CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: path, TOKEN_SIGNING_SECRET: SIGNING_SECRET };
  t.match(await problemsOf(env), [/delivery: expected one of direct, proxied$/]);
  t.strictSame(await warningsOf(env), []);
});

test('no defaults written out, and no example, is warned about', async (t) => {
  const shown = parseEnv(readFileSync(join(ROOT, '.env.example'), 'utf8').replace(/^#(?=[A-Z_]+=)/gm, ''));
  t.strictSame(await warningsOf({ ...(shown as Readonly<Record<string, string>>), ...LEAST }), []);
  const pages = ['docs/configuration.md', 'docs/proxy.md', 'docs/limits.md', 'examples/browser/README.md'];
  const examples = pages.flatMap((page) =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => ({
      page,
      text,
    })),
  );
  t.ok(examples.length >= pages.length);
  for (const { page, text } of examples) {
    const indent = /^ */.exec(text)?.[0] ?? '';
    const source = text.replaceAll(`\n${indent}`, '\n').slice(indent.length).replace('sha256:...', KEY_HASH);
    const files = t.testdir({
      'broker.yaml': source.replaceAll('/run/secrets/', './'),
      cartesia_api_key: API_KEY,
      token_signing_secret: SIGNING_SECRET,
      signing_secret: SIGNING_SECRET,
    });
    // What the text around the example adds.
    const env = {
      BROKER_CONFIG: join(files, 'broker.yaml'),
      ...(source.includes('api_key_file') ? {} : { CARTESIA_API_KEY: API_KEY }),
      ...(source.includes('delivery: proxied') && !source.includes('signing_secret')
        ? { TOKEN_SIGNING_SECRET: SIGNING_SECRET }
        : {}),
      ...(source.includes('prices') ? { ADMIN_TOKEN: SIGNING_SECRET } : {}),
      ...(source.includes('clients:') ? {} : { CLIENT_KEYS: `web=${KEY_HASH}` }),
    };
    t.strictSame(await problemsOf(env), [], page);
    t.strictSame(await warningsOf(env), [], page);
  }
});
