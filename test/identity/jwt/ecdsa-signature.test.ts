import { generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'tap';
import { ecdsaSignatureToDer } from '../../../src/identity/jwt/ecdsa-signature.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

test('integers are written without leading zeros and never as negative', async (t) => {
  const cases: [string, string][] = [
    ['01 02', '30 06 02 01 01 02 01 02'],
    ['00 00', '30 06 02 01 00 02 01 00'],
    ['7f 80', '30 07 02 01 7f 02 02 00 80'],
    ['ff ff', '30 08 02 02 00 ff 02 02 00 ff'],
    ['0001 0080', '30 07 02 01 01 02 02 00 80'],
    ['0000 8000', '30 08 02 01 00 02 03 00 80 00'],
    ['0100 00ff', '30 08 02 02 01 00 02 02 00 ff'],
  ];
  for (const [raw, der] of cases) t.equal(ecdsaSignatureToDer(hex(raw)).toString('hex'), hex(der).toString('hex'), raw);
});

test('the long form of a length is used where it is required', async (t) => {
  const der = ecdsaSignatureToDer(Buffer.alloc(132, 0xff));
  t.equal(der.subarray(0, 6).toString('hex'), '30818a024300');
  t.equal(der.length, 3 + 0x8a);
});

test('reading back what was written gives the same integers', async () => {
  fc.assert(
    fc.property(fc.constantFrom(32, 48, 66), fc.infiniteStream(fc.nat(255)), fc.nat(40), (half, stream, zeros) => {
      const bytes = [...stream.take(half * 2)];
      const signature = Buffer.from(bytes);
      signature.fill(0, 0, Math.min(zeros, half));
      const { r, s } = readDer(ecdsaSignatureToDer(signature));
      return r === number(signature.subarray(0, half)) && s === number(signature.subarray(half));
    }),
  );
});

test('signatures of every curve give the same result as with Node, intact or damaged', async (t) => {
  const curves = { 'P-256': 'sha256', 'P-384': 'sha384', 'P-521': 'sha512' };
  for (const [namedCurve, digest] of Object.entries(curves)) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
    for (let i = 0; i < 60; i += 1) {
      const data = Buffer.from(`message ${i}`);
      const signature = sign(digest, data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      // Damage every other one by zeroing its tail, so that r or s may become 0 or short.
      if (i % 2 === 1) signature.fill(0, i % 3 === 0 ? 0 : i % signature.length);
      const expected = verify(digest, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
      const actual = verify(digest, data, publicKey, ecdsaSignatureToDer(signature));
      if (actual !== expected || expected !== (i % 2 === 0))
        t.fail(`${namedCurve} ${i}: ${actual}, Node says ${expected}`);
    }
  }
});

function number(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`);
}

/** A reader independent of the writer: checks lengths, tags and minimal integers as DER requires. */
function readDer(der: Buffer): { r: bigint; s: bigint } {
  let at = 0;
  const byte = () => {
    at += 1;
    return der.readUInt8(at - 1);
  };
  const length = () => {
    const first = byte();
    if (first < 0x80) return first;
    if (first !== 0x81) throw new Error('length');
    const second = byte();
    if (second < 0x80) throw new Error('length not minimal');
    return second;
  };
  const integer = () => {
    if (byte() !== 0x02) throw new Error('no integer');
    const size = length();
    const bytes = der.subarray(at, at + size);
    at += size;
    if ((bytes[0] ?? 0xff) > 0x7f) throw new Error('negative');
    if (size > 1 && bytes[0] === 0 && (bytes[1] ?? 0) < 0x80) throw new Error('not minimal');
    return number(bytes);
  };
  if (byte() !== 0x30) throw new Error('no sequence');
  if (length() !== der.length - at) throw new Error('sequence length');
  const numbers = { r: integer(), s: integer() };
  if (at !== der.length) throw new Error('trailing bytes');
  return numbers;
}
