import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { test } from 'tap';
import { formatProblem, loadConfig } from '../../src/config/load.ts';
import { KEY_HASH } from './loading.ts';

/** Random texts that look like secrets or mistyped secrets; each contains a random part of 24 characters. */
const secret = fc
  .tuple(
    fc.constantFrom(
      '',
      'sk_car_',
      'sk_car_admin_',
      'cb_',
      'redis://u:',
      'web=',
      'web=cb_',
      'sha256:',
      '"',
      '{ ',
      '*',
      '!!',
      '- ',
      '\t',
    ),
    fc.stringMatching(/^[A-Za-z0-9]{24}$/),
    fc.constantFrom('', ' ', '@localhost', ',', ': x', '"', ' }', '\n', '\u0000', '#', '='),
  )
  .map(([before, random, after]) => ({ random, text: `${before}${random}${after}` }));

const SECRET_VARIABLES = ['CARTESIA_API_KEY', 'TOKEN_SIGNING_SECRET', 'REDIS_URL', 'CLIENT_KEYS'] as const;

/** Everything that a user of the loader could print about the outcome. */
async function everythingSaid(env: Record<string, string>): Promise<string> {
  const loaded = await loadConfig(env);
  const problems = loaded.outcome === 'refused' ? loaded.problems : [];
  const lines = [...problems, ...loaded.warnings].map(formatProblem);
  return [...lines, JSON.stringify(loaded), inspect(loaded, { depth: 20 })].join('\n');
}

test('no secret from the environment is printed, valid or not', async (t) => {
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.constantFrom(...SECRET_VARIABLES), secret, async (variable, { random, text }) => {
        const said = await everythingSaid({ ALLOW_ANONYMOUS: 'true', [variable]: text });
        return !said.includes(random);
      }),
      { numRuns: 200 },
    ),
    'held for every case tried',
  );
});

test("no secret in a file is printed, nor one given in place of its file's path", async (t) => {
  const path = join(t.testdir({}), 'secret');
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.constantFrom(...SECRET_VARIABLES), secret, async (variable, { random, text }) => {
        writeFileSync(path, text);
        const inFile = await everythingSaid({ ALLOW_ANONYMOUS: 'true', [`${variable}_FILE`]: path });
        const asPath = await everythingSaid({ ALLOW_ANONYMOUS: 'true', [`${variable}_FILE`]: text });
        return !inFile.includes(random) && !asPath.includes(random);
      }),
      { numRuns: 100 },
    ),
    'held for every case tried',
  );
});

/** Where secrets stand in the file, and how their lines can be malformed. (A client app's name is shown, so it is not one of them.) */
const PLACES: readonly ((secret: string) => string)[] = [
  (s) => `upstream: { api_key: ${s} }`,
  (s) => `upstream: { api_key ${s} }`,
  (s) => `upstream: { ${s} }`,
  (s) => `upstream:\n  api_key: ${s}`,
  (s) => `upstream:\n  api_key:${s}`,
  (s) => `upstream:\n  - ${s}`,
  (s) => `upstream:\n  api_key:\n    - ${s}\n   - ${s}`,
  (s) => `upstream:\n  api_key: "${s}`,
  (s) => `upstream:\n  api_key: "\\q${s}"`,
  (s) => `upstream:\n  api_key: |${s}\n`,
  (s) => `upstream:\n\tapi_key: ${s}`,
  (s) => `upstream:\n  api_key: &${s} x\n  version: *${s}`,
  (s) => `upstream:\n  api_key: *${s}`,
  (s) => `upstream:\n  api_key: !${s} x`,
  (s) => `upstream:\n  api_key: [${s}, { ${s}: ${s} }]`,
  (s) => `upstream:\n  api_key_file: ${s}`,
  (s) => `upstream: ${s}`,
  (s) => `tokens: { signing_secret: [${s}, ${s}] }`,
  (s) => `tokens: { signing_secret: { ${s}: 1 } }`,
  (s) => `store: { redis_url: ${s} }`,
  (s) => `store:\n  redis_url: ${s}\n  redis_url: ${s}`,
  (s) => `clients: { web: { auth: { keys: [${s}] } } }`,
  (s) => `clients: { web: { auth: { keys: ${s} } } }`,
  (s) => `clients: { web: { auth: { ${s} } } }`,
  (s) => `%TAG ! ${s}\n---\nupstream: { api_key: !x y }`,
  (s) => `%${s}\n---\nupstream: { api_key: x }`,
  (s) => `${s}`,
  (s) => `${s}: 1`,
  (s) => `? [${s}]\n: x`,
  (s) => `{ "upstream": { "api_key": "${s}", } `,
];

test('no secret in the configuration file is printed, however malformed the file is', async (t) => {
  const path = join(t.testdir({}), 'broker.yaml');
  let broken = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PLACES), secret, async (place, { random, text }) => {
      writeFileSync(path, place(text));
      const said = await everythingSaid({ BROKER_CONFIG: path });
      if (/:\d+:\d+ BROKER_CONFIG: /.test(said)) broken += 1;
      return !said.includes(random);
    }),
    { numRuns: 600 },
  );
  t.ok(broken > 50, `${broken} of the files were not YAML or not a mapping`);
});

test('the detector works: values that are not secrets are printed', async (t) => {
  const hex = KEY_HASH.slice('sha256:'.length);
  t.match(
    await everythingSaid({ CARTESIA_API_KEY: 'sk_car_0123456789', CLIENT_KEYS: `web=${KEY_HASH}` }),
    new RegExp(hex),
  );
});

test('the loader never throws, whatever the environment and the file contain', async (t) => {
  const path = join(t.testdir({}), 'broker.yaml');
  const names = [
    ...[
      'PORT',
      'HOST',
      'GRANTS',
      'CLIENT_KEYS',
      'TRUSTED_CLIENTS',
      'JWT_ISSUER',
      'JWT_AUDIENCE',
      'JWT_JWKS_URL',
      'CORS_ORIGINS',
    ],
    ...[
      'CARTESIA_BASE_URL',
      'TLS_CERT_FILE',
      'TLS_KEY_FILE',
      'PUBLIC_URL',
      'TRUST_PROXY',
      'MINT_RATE',
      'REDIS_URL_FILE',
      '__proto__',
      'ñ',
    ],
  ];
  const environment = fc.dictionary(fc.constantFrom(...names), fc.string({ unit: 'binary' }), { maxKeys: 5 });
  const anyFile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc
      .array(
        fc.constantFrom(
          'clients',
          'web',
          'auth',
          'jwt',
          'ttl',
          ':',
          ' ',
          '\n',
          '  ',
          '- ',
          '{',
          '}',
          '[',
          ']',
          '*a',
          '&a',
          '? ',
          '<<',
          '__proto__',
          '"',
          '!',
          '|',
          '1',
        ),
      )
      .map((parts) => parts.join('')),
  );
  await t.resolves(
    fc.assert(
      fc.asyncProperty(environment, anyFile, async (env, source) => {
        writeFileSync(path, source);
        const withFile = await loadConfig({ ...env, BROKER_CONFIG: path });
        const without = await loadConfig(env);
        return [withFile, without].every(({ outcome }) => outcome === 'refused' || outcome === 'loaded');
      }),
      { numRuns: 300 },
    ),
    'held for every case tried',
  );
});
