// Positive controls: a detector that never fires proves nothing.
import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import { makeCanary, makePasswordCanary } from './canary.ts';
import { Detector, type Form } from './detector.ts';

const canary = makeCanary('upstream key', 'sk_car_');
const password = makePasswordCanary('store password');

function noise(length: number): string {
  return randomBytes(length).toString('base64url').slice(0, length);
}

const WRITTEN: readonly [name: string, form: Form | null, write: (text: string) => string][] = [
  ['as it is', null, (text) => text],
  ['percent-encoded in capitals', 'percent', (text) => percent(text, (hex) => hex.toUpperCase())],
  ['percent-encoded in small letters', 'percent', (text) => percent(text, (hex) => hex)],
  ['hex in small letters', 'hex', (text) => Buffer.from(text).toString('hex')],
  ['hex in capitals', 'hex', (text) => Buffer.from(text).toString('hex').toUpperCase()],
  ['hex with colons', 'hex', (text) => (Buffer.from(text).toString('hex').match(/../g) ?? []).join(':')],
  ['hex at an odd place', 'hex', (text) => `a${Buffer.from(text).toString('hex')}`],
  ['every character as \\u', 'json', (text) => [...text].map((c) => `\\u${hex4(c)}`).join('')],
  ...[0, 1, 2].flatMap((alignment): typeof WRITTEN => [
    [
      `base64, ${alignment} bytes before it`,
      'base64',
      (text) => Buffer.from('x'.repeat(alignment) + text).toString('base64'),
    ],
    [
      `base64url, ${alignment} bytes before it`,
      'base64',
      (text) => Buffer.from('x'.repeat(alignment) + text).toString('base64url'),
    ],
  ]),
];

function percent(text: string, letters: (hex: string) => string): string {
  return [...Buffer.from(text)].map((byte) => `%${letters(byte.toString(16).padStart(2, '0'))}`).join('');
}

function hex4(char: string): string {
  return char.charCodeAt(0).toString(16).padStart(4, '0');
}

test('a secret is found however it is encoded', async (t) => {
  for (const secret of [canary, password]) {
    const detector = new Detector();
    detector.add(secret);
    for (const [name, form, write] of WRITTEN) {
      const output = `{"a":"${noise(40)}","b":"=${write(secret.value)}=${noise(40)}"}`;
      const found = detector.search(output).filter(({ forms }) => forms.join() === (form ?? ''));
      t.equal(found.length, 1, `${secret.name}: ${name}`);
      t.equal(found[0]?.canary, secret.name);
    }
  }
});

test('a password with special characters is found in a JSON string and in a URL', async (t) => {
  const detector = new Detector();
  detector.add(password);
  t.ok(detector.search(JSON.stringify({ password: password.value })).length > 0);
  t.ok(detector.search(JSON.stringify({ url: JSON.stringify(password.value) })).length > 0, 'JSON in JSON');
  t.ok(detector.search(`redis://:${encodeURIComponent(password.value)}@store`).length > 0);
  t.ok(detector.search(Buffer.from(JSON.stringify(password.value)).toString('base64')).length > 0, 'JSON in base64');
});

test('any twelve characters of a secret are found, in the clear and encoded', async (t) => {
  const detector = new Detector();
  detector.add(canary, 'sk_car_'.length);
  const { value } = canary;
  for (let at = 7; at + 12 <= value.length; at += 1) {
    const part = value.slice(at, at + 12);
    t.equal(detector.search(`(${part})`)[0]?.canary, 'upstream key', `from ${at}`);
    t.ok(detector.search(`("${Buffer.from(part).toString('hex')}")`).length > 0, `hex from ${at}`);
    t.ok(detector.search(`("${Buffer.from(part).toString('base64')}")`).length > 0, `base64 from ${at}`);
  }
});

test('any twelve characters of a secret are found at any position, up to the last byte', async (t) => {
  const detector = new Detector();
  detector.add(canary);
  for (let at = 0; at + 12 <= canary.value.length; at += 1) {
    const part = canary.value.slice(at, at + 12);
    const places = Array.from({ length: 20 }, (_, place) => place);
    const missed = places.filter((place) => detector.search('.'.repeat(place) + part).length !== 1);
    t.strictSame(missed, [], `from ${at}`);
  }
});

test('what is not a secret is not found', async (t) => {
  const detector = new Detector();
  detector.add(canary, 'sk_car_'.length);
  t.strictSame(detector.search(`sk_car_simulated sk_car_ ${canary.value.slice(0, 11)} ${noise(5000)}`), []);
  t.strictSame(detector.search(randomBytes(5000)), []);
  t.strictSame(detector.search(''), []);
});

test('a finding does not repeat the secret', async (t) => {
  const detector = new Detector();
  detector.add(canary);
  const [finding] = detector.search(`key=${canary.value}`);
  t.match(finding, { canary: 'upstream key', before: 'key=' });
  t.strictSame(finding?.forms, []);
  t.notOk(JSON.stringify(finding).includes(canary.value.slice(0, 12)));
});
