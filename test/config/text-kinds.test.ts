import { test } from 'tap';
import { TEXT_KINDS, type TextKindName, wrongText } from '../../src/config/text-kinds.ts';

interface Cases {
  readonly right: readonly string[];
  readonly wrong: readonly string[];
}

const CASES: { readonly [kind in TextKindName]: Cases } = {
  line: { right: ['a', 'https://x/?y=z', 'ä'], wrong: ['', 'a\nb', '\u0000', 'x'.repeat(513)] },
  path: { right: ['/etc/x', 'a b'], wrong: ['', 'a\u0000b'] },
  client_name: {
    right: ['web', 'ios-2', 'a.b', 'W', 'x'.repeat(40)],
    wrong: ['', '-a', '1a', 'a_b', 'cb_abc', 'a b', 'x'.repeat(41), 'wéb'],
  },
  api_key: {
    right: ['sk_car_0123456789.abcdefghij', 'sk_car_simulated', '12345678'],
    wrong: [
      '',
      'short',
      'with space1',
      'line\nbreak1',
      '"sk_car_0123456789"',
      'sk_car_é123456',
      'sk_car_admin_0123456789',
      'a,b,c,d,e',
    ],
  },
  signing_secret: {
    right: ['x'.repeat(32), 'ä'.repeat(16), 'with spaces, and commas - thirty-two'],
    wrong: ['', 'x'.repeat(31), `${'x'.repeat(40)}\n`, 'ä'.repeat(15)],
  },
  admin_token: {
    right: ['x'.repeat(32), 'single spaces inside, as in this sentence', '~'.repeat(4096)],
    wrong: [
      '',
      'x'.repeat(31),
      ` ${'x'.repeat(32)}`,
      `${'x'.repeat(32)} `,
      `two  spaces${'x'.repeat(32)}`,
      `a tab\t${'x'.repeat(32)}`,
      `ä${'x'.repeat(32)}`,
      `${'x'.repeat(40)}\n`,
      '~'.repeat(4097),
    ],
  },
  redis_url: {
    right: [
      'redis://localhost',
      'redis://localhost/',
      'redis://localhost/15',
      'rediss://u:p@redis.example.com:6380/1',
      'redis://[::1]:6379',
      'rediss://user@[2001:db8::1]/3',
      'redis://:p%2Fa%3Fs%23s%40%25@h',
    ],
    wrong: [
      '',
      'localhost:6379',
      'http://localhost',
      'redis://',
      'redis://:6379',
      'redis://a b',
      'redis://h:999999',
      'redis://:5%@h',
      'redis://%c3@h',
      'redis://h/abc',
      'redis://h/0/1',
      'redis://h/-1',
      'redis://h/?db=abc',
      'redis://h?',
      'redis://h?ssl=true',
      'redis://h/0?enableOfflineQueue=true',
      'redis://h?path=/other.sock',
      'redis://h?retryStrategy=no',
      'redis://user:1#23@h',
      'redis://user:1?23@h',
      'redis://user:1/23@h',
      'redis:///redis.sock',
      'unix:///redis.sock',
      '/redis.sock',
      'REDISS://h',
    ],
  },
  store_prefix: {
    right: ['cartesia-broker', 'a', 'eu:voice_1.2', 'x'.repeat(64)],
    wrong: ['', 'a b', 'a{b}', 'ä', 'x'.repeat(65), 'a\n'],
  },
  key_hash: {
    right: [`sha256:${'a1'.repeat(32)}`, `sha256:${'A1'.repeat(32)}`],
    wrong: [
      '',
      'a1'.repeat(32),
      `sha256:${'a1'.repeat(31)}`,
      `sha256:${'g1'.repeat(32)}`,
      `sha512:${'a1'.repeat(32)}`,
      'cb_key',
    ],
  },
  host: {
    right: ['127.0.0.1', '::1', '::', '0.0.0.0', 'localhost', 'a.example.com', 'fe80::1%eth0'],
    wrong: ['', '[::1]', '127.0.0.1:80', 'localhost:80', '999.1.1.1', '1.2.3', '-a', 'a_b', 'a..b', 'http://a'],
  },
  address_range: {
    right: ['10.0.0.0/8', '10.1.2.3', '2001:db8::/32', '::1', '0.0.0.0/0'],
    wrong: [
      '',
      '10.0.0.0/33',
      '::/129',
      '10.0.0.0/',
      '10.0.0/8',
      '10.0.0.0/08',
      '10.0.0.0/8/8',
      'loopback',
      'true',
      '1',
      'fe80::1%eth0',
    ],
  },
  upstream_url: {
    right: ['https://api.cartesia.ai', 'https://api.cartesia.ai/', 'http://127.0.0.1:9', 'https://[::1]:9'],
    wrong: [
      '',
      'api.cartesia.ai',
      'https://h/path',
      'https://u:p@h',
      'https://h?x',
      'https://h#x',
      'wss://h',
      'https://h:99999',
      'https://',
    ],
  },
  public_url: {
    right: ['https://voice.example.com', 'https://example.com/voice/', 'http://10.0.0.1:8080'],
    wrong: ['', 'example.com', 'https://u:p@h', 'https://h?x', 'https://h#x', 'ftp://h', 'https://h:99999'],
  },
  identity_url: {
    right: [
      'https://login.example.com',
      'https://login.example.com/',
      'https://h/realms/x',
      'http://127.0.0.1:3',
      'http://localhost:3/x',
      'http://[::1]:3',
    ],
    wrong: [
      '',
      'http://login.example.com',
      'https://h?x=y',
      'https://h#x',
      'https://u:p@h',
      'accounts.google.com',
      'https://a.example,https://b.example',
      'https://h/.well-known/openid-configuration',
    ],
  },
  jwks_url: {
    right: ['https://h/keys?tenant=a', 'http://127.0.0.1:3/keys'],
    wrong: ['', 'http://h/keys', 'https://h/keys#x', 'https://u:p@h/keys', 'file:///etc/keys'],
  },
  origin: {
    right: [
      'https://app.example.com',
      'https://app.example.com:8443',
      'http://localhost:3000',
      'http://127.0.0.1',
      'capacitor://localhost',
      'tauri://localhost:1420',
      'http://tauri.localhost',
      'chrome-extension://bmnlcjabgnpnenekpadlanbbkooimhnj',
    ],
    wrong: [
      '',
      '*',
      'htps://app.example.com',
      'capacitor://',
      'capacitor://localhost/',
      'capacitor:localhost',
      'file://host',
      'ws://localhost',
      'ftp://127.0.0.1',
      'http://tauri.localhost.example.com',
      'wss://app.example.com',
      'ftp://app.example.com',
      '://localhost',
      'null',
      'https://*.example.com',
      'https://app.example.com/',
      'https://app.example.com/x',
      'http://app.example.com',
      'https://App.example.com',
      'https://app.example.com:443',
      'https://u@app.example.com',
      'app.example.com',
      'https://bücher.example',
    ],
  },
  date: {
    right: ['2026-03-01', '2024-02-29', '0001-01-01'],
    wrong: [
      '',
      '0000-01-01',
      '2026-02-30',
      '2026-02-29',
      '2026-13-01',
      '2026-3-1',
      '20260301',
      '2026-03-01T00:00:00Z',
      ' 2026-03-01',
    ],
  },
  budget: {
    right: ['30/hour', '20000/day', '999999999999/month'],
    wrong: [
      '',
      'off',
      '0/day',
      '-1/day',
      '30/minute',
      '30/days',
      '30 / day',
      '30',
      '1.5/day',
      '1e3/day',
      '030/day',
      '1000000000000/day',
    ],
  },
  rate_or_off: { right: ['30/minute', 'off'], wrong: ['', 'OFF', 'none', '0/minute', 'offf', 'xoff'] },
};

for (const [kind, { right, wrong }] of Object.entries(CASES) as [TextKindName, Cases][]) {
  test(`${kind}: ${TEXT_KINDS[kind].expected}`, async (t) => {
    for (const text of right) t.equal(wrongText(kind, text), undefined, `takes ${JSON.stringify(text)}`);
    for (const text of wrong) t.match(wrongText(kind, text), /^expected /, `refuses ${JSON.stringify(text)}`);
  });
}

test('well-known mistakes get their own message', async (t) => {
  t.match(wrongText('api_key', 'sk_car_admin_0123456789'), /admin key \(sk_car_admin_…\) is refused: it cannot mint/);
  t.match(wrongText('key_hash', 'cb_0123'), /the hash of the app key .* not the key itself/);
  t.match(wrongText('identity_url', 'https://a.example,https://b.example'), /one issuer; several .* BROKER_CONFIG/);
  t.match(
    wrongText('redis_url', 'redis://:pw@h?ssl=true'),
    /^expected a URL without a query: rediss:\/\/ asks for TLS/,
  );
  t.match(
    wrongText('redis_url', 'unix:///run/redis.sock'),
    /^expected redis:\/\/ or rediss:\/\/ and a host: Unix sockets/,
  );
  t.match(wrongText('redis_url', 'redis:///run/redis.sock'), /Unix sockets are not supported$/);
  t.match(wrongText('identity_url', 'https://a.example/.well-known/openid-configuration'), /the issuer itself/);
});
