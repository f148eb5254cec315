/** G.711 companding, as telephones use it. @see ITU-T G.711 */

const MU_BIAS = 0x84;
const MU_CLIP = 32_635;

/** @param sample 16-bit linear PCM */
export function muLawOf(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), MU_CLIP) + MU_BIAS;
  const exponent = 31 - Math.clz32(magnitude) - 7;
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

/** @param sample 16-bit linear PCM */
export function aLawOf(sample: number): number {
  const sign = sample < 0 ? 0 : 0x80;
  // One's complement for negative samples, as in the recommendation's tables: -1 mirrors 0.
  const magnitude = Math.min(sample < 0 ? ~sample : sample, 32_767) >> 3;
  const exponent = magnitude < 32 ? 0 : 31 - Math.clz32(magnitude) - 4;
  const mantissa = exponent === 0 ? (magnitude >> 1) & 0x0f : (magnitude >> exponent) & 0x0f;
  return (sign | (exponent << 4) | mantissa) ^ 0x55;
}

/** Byte to 16-bit linear PCM. */
export const MU_LAW_DECODED: Int16Array = Int16Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + MU_BIAS) << ((code & 0x70) >> 4)) - MU_BIAS;
  return code & 0x80 ? -magnitude : magnitude;
});

/** Byte to 16-bit linear PCM. */
export const A_LAW_DECODED: Int16Array = Int16Array.from({ length: 256 }, (_, byte) => {
  const code = byte ^ 0x55;
  const exponent = (code & 0x70) >> 4;
  const mantissa = (code & 0x0f) << 4;
  const magnitude = exponent === 0 ? mantissa + 8 : (mantissa + 0x108) << (exponent - 1);
  return code & 0x80 ? magnitude : -magnitude;
});
