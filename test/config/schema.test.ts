import fc from 'fast-check';
import { test } from 'tap';
import { Value } from 'typebox/value';
import { jsonSchemaOf } from '../../scripts/docs/config-schema.ts';
import { checkSettings } from '../../src/config/check.ts';
import { isTree, Report } from '../../src/config/report.ts';
import { SETTINGS_SCHEMA } from '../../src/config/schema.ts';
import { type GroupNode, isGroup, isMap, type SettingNode } from '../../src/config/schema-nodes.ts';
import { SETTING_BY_VARIABLE, SETTINGS, settingAt } from '../../src/config/setting-index.ts';
import type { TextKindName } from '../../src/config/text-kinds.ts';
import { SUPPORTED_ALGORITHMS } from '../../src/identity/jwt/verification-key.ts';
import { API_KEY, KEY_HASH, OTHER_KEY_HASH, SIGNING_SECRET } from './loading.ts';

test('every promised variable exists, and no others', async (t) => {
  const promised = [
    ...[
      'CARTESIA_API_KEY',
      'CARTESIA_BASE_URL',
      'CARTESIA_ALLOW_INSECURE',
      'CARTESIA_VERSION',
      'CARTESIA_VERSION_POLICY',
    ],
    ...[
      'HOST',
      'PORT',
      'MANAGEMENT_HOST',
      'MANAGEMENT_PORT',
      'PUBLIC_URL',
      'TLS_CERT_FILE',
      'TLS_KEY_FILE',
      'TRUST_PROXY',
    ],
    ...[
      'REQUIRE_HTTPS',
      'CLIENT_KEYS',
      'TRUSTED_CLIENTS',
      'JWT_ISSUER',
      'JWT_AUDIENCE',
      'JWT_JWKS_URL',
      'JWT_ALGORITHMS',
    ],
    ...[
      'ALLOW_ANONYMOUS',
      'GRANTS',
      'TOKEN_TTL',
      'TOKEN_TTL_MAX',
      'DELIVERY',
      'PROXY',
      'TOKEN_SIGNING_SECRET',
      'CORS_ORIGINS',
    ],
    ...[
      'ADMIN_TOKEN',
      'MINT_RATE',
      'MINT_RATE_PER_IP',
      'TTS_CONCURRENCY',
      'STT_CONCURRENCY',
      'AGENT_CONCURRENCY',
      'REDIS_URL',
      'REDIS_CA_FILE',
      'REDIS_CERT_FILE',
      'REDIS_KEY_FILE',
      'REDIS_PREFIX',
      'LOG_LEVEL',
    ],
  ];
  t.strictSame([...SETTING_BY_VARIABLE.keys()].sort(), promised.sort());
});

test('every setting is described in whole sentences', async (t) => {
  for (const { path, node } of SETTINGS) t.match(node.description, /^.{8,}\.$/, path.join('.'));
});

test('every default fits its own setting', async (t) => {
  const report = new Report();
  checkSettings({}, report);
  t.strictSame(report.problems, [], 'a configuration may be empty');
  for (const { node, path } of SETTINGS) {
    if ('default' in node) t.ok(Value.Check(jsonSchemaOf(node), node.default), path.join('.'));
  }
});

test('the algorithms in the schema are those that identity can verify', async (t) => {
  const algorithms = settingAt(['clients', 'web', 'auth', 'jwt', 0, 'algorithms'])?.node;
  const items = algorithms !== undefined && 'items' in algorithms ? algorithms.items : undefined;
  t.strictSame(
    items !== undefined && 'enum' in items ? [...(items.enum ?? [])].sort() : [],
    [...SUPPORTED_ALGORITHMS].sort(),
  );
});

/** Mostly values that fit the node, and now and then one that does not. */
function valuesFor(node: SettingNode): fc.Arbitrary<unknown> {
  const odd = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom(...ODD));
  return fc.oneof({ weight: 60, arbitrary: fittingFor(node) }, { weight: 1, arbitrary: odd });
}

const ODD = [null, '', 0, -1, 1.5, 1e9, 'x', true, [], {}, ['x'], 'off', '30/minute', '8080', Number.NaN] as const;

function fittingFor(node: SettingNode): fc.Arbitrary<unknown> {
  if (isGroup(node)) return groupFor(node);
  if (isMap(node)) {
    const name = fc.oneof(
      { weight: 30, arbitrary: fc.constantFrom('web', 'b-2') },
      { weight: 1, arbitrary: fc.constant('') },
    );
    return fc.dictionary(name, valuesFor(node.additionalProperties), { maxKeys: 2 });
  }
  if ('anyOf' in node) return fc.oneof(valuesFor(node.anyOf[0]), fittingFor(node.anyOf[1]));
  switch (node.type) {
    case 'array':
      return fc.uniqueArray(valuesFor(node.items), { minLength: node.minItems ?? 0, maxLength: 2 });
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: node.minimum, max: node.maximum });
    case 'number':
      return fc.double({ min: node.minimum, max: node.maximum, noNaN: true });
    case 'string':
      return fc.constantFrom(...(node.enum ?? FITTING[node['x-kind'] ?? 'line']));
    default:
      return node satisfies never;
  }
}

function groupFor(node: GroupNode): fc.Arbitrary<unknown> {
  const members = Object.entries(node.properties).map(([key, child]) => [key, valuesFor(child)] as const);
  const needed = members.filter(([key]) => isNeeded(node.properties[key])).map(([key]) => key);
  const known = fc.record(Object.fromEntries(members), { requiredKeys: needed });
  const more = known.map((value) => ({ ...value, extra: 1 }));
  return fc.oneof({ weight: 60, arbitrary: known }, { weight: 1, arbitrary: more });
}

function isNeeded(node: SettingNode | undefined): boolean {
  return node !== undefined && node['x-optional'] !== true && !('default' in node);
}

/** Valid texts of each kind. */
const FITTING: { readonly [kind in TextKindName]: readonly string[] } = {
  line: ['scope', 'a b'],
  path: ['/etc/x', 'x'],
  client_name: ['web'],
  api_key: [API_KEY, `${API_KEY}2`],
  signing_secret: [SIGNING_SECRET, `${SIGNING_SECRET}2`],
  admin_token: [SIGNING_SECRET, `${SIGNING_SECRET}2`],
  redis_url: ['redis://localhost', 'rediss://u:p@h:1/2'],
  store_prefix: ['cartesia-broker', 'b'],
  key_hash: [KEY_HASH, OTHER_KEY_HASH],
  host: ['127.0.0.1', 'localhost', '::'],
  address_range: ['10.0.0.0/8', '::1'],
  upstream_url: ['https://a.example', 'http://127.0.0.1:1'],
  public_url: ['https://a.example/x', 'http://10.0.0.1'],
  identity_url: ['https://a.example/x'],
  jwks_url: ['https://a.example/x?y'],
  origin: ['https://a.example', 'http://localhost:3000'],
  date: ['2026-03-01', '2025-11-04'],
  budget: ['30/hour', '20000/day', '1/month'],
  rate_or_off: ['off', '1/second'],
};

test('the check agrees with TypeBox about the published JSON Schema', async (t) => {
  const schema = jsonSchemaOf(SETTINGS_SCHEMA);
  let accepted = 0;
  let refused = 0;
  fc.assert(
    fc.property(fittingFor(SETTINGS_SCHEMA), (value) => {
      const report = new Report();
      checkSettings(isTree(value) ? value : {}, report);
      const isRight = Value.Check(schema, value);
      if (report.problems.length === 0) accepted += 1;
      else refused += 1;
      // The published schema is necessary but not sufficient: what it refuses is refused, but some kinds of text need more than a pattern.
      return isRight || report.problems.length > 0;
    }),
    { numRuns: 500 },
  );
  t.ok(accepted > 0 && refused > 0, `${accepted} accepted, ${refused} refused`);
});

test("checking any value gives a result of the schema's type", async (t) => {
  // The type of the checked settings is the schema's with every default filled in.
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(fittingFor(SETTINGS_SCHEMA), (value) =>
          Value.Check(SETTINGS_SCHEMA, checkSettings(isTree(value) ? value : {}, new Report())),
        ),
        { numRuns: 500 },
      ),
    'held for every case tried',
  );
});

test('a value that TypeBox accepts is refused only for reasons that a pattern cannot express', async (t) => {
  const schema = jsonSchemaOf(SETTINGS_SCHEMA);
  const beyondPatterns = /standard API key|at least 32 bytes|redis:|IP address|CIDR|URL|origin|calendar date|https:/;
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(fittingFor(SETTINGS_SCHEMA), (value) => {
          const report = new Report();
          checkSettings(isTree(value) ? value : {}, report);
          return !Value.Check(schema, value) || report.problems.every(({ message }) => beyondPatterns.test(message));
        }),
        { numRuns: 500 },
      ),
    'held for every case tried',
  );
});
