/** Converts samples to bytes and back, in every encoding that Cartesia names. Always little-endian, on any machine. */

import { A_LAW_DECODED, aLawOf, MU_LAW_DECODED, muLawOf } from './g711.ts';
import { halfFloatOf } from './half-float.ts';

/** What TTS can produce. */
export const OUTPUT_ENCODINGS = ['pcm_f32le', 'pcm_s16le', 'pcm_mulaw', 'pcm_alaw'] as const;
export type OutputEncoding = (typeof OUTPUT_ENCODINGS)[number];

/** What STT accepts. */
export const INPUT_ENCODINGS = ['pcm_s16le', 'pcm_s32le', 'pcm_f16le', 'pcm_f32le', 'pcm_mulaw', 'pcm_alaw'] as const;
export type InputEncoding = (typeof INPUT_ENCODINGS)[number];

export const BYTES_PER_SAMPLE: Readonly<Record<InputEncoding, number>> = {
  pcm_s16le: 2,
  pcm_s32le: 4,
  pcm_f16le: 2,
  pcm_f32le: 4,
  pcm_mulaw: 1,
  pcm_alaw: 1,
};

/** @param samples mono, -1 to 1; anything louder is clipped */
export function encodeSamples(samples: Float32Array, encoding: OutputEncoding): Uint8Array {
  const bytes = new Uint8Array(samples.length * BYTES_PER_SAMPLE[encoding]);
  const view = new DataView(bytes.buffer);
  for (let n = 0; n < samples.length; n += 1) {
    const sample = Math.max(-1, Math.min(1, samples[n] ?? 0));
    switch (encoding) {
      case 'pcm_f32le':
        view.setFloat32(n * 4, sample, true);
        break;
      case 'pcm_s16le':
        view.setInt16(n * 2, linear16(sample), true);
        break;
      case 'pcm_mulaw':
        bytes[n] = muLawOf(linear16(sample));
        break;
      case 'pcm_alaw':
        bytes[n] = aLawOf(linear16(sample));
        break;
      default:
        encoding satisfies never;
    }
  }
  return bytes;
}

/** Decodes whole samples only and ignores bytes after the last one (see {@link createSampleDecoder} for streams). */
export function decodeSamples(bytes: Uint8Array, encoding: InputEncoding): Float32Array {
  const samples = new Float32Array(Math.floor(bytes.length / BYTES_PER_SAMPLE[encoding]));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let n = 0; n < samples.length; n += 1) samples[n] = sampleAt(view, n, encoding);
  return samples;
}

/** Decodes a stream whose pieces may end in the middle of a sample. */
export interface SampleDecoder {
  push(bytes: Uint8Array): Float32Array;
}

export function createSampleDecoder(encoding: InputEncoding): SampleDecoder {
  const width = BYTES_PER_SAMPLE[encoding];
  let rest: Uint8Array = new Uint8Array(0);
  return {
    push(bytes) {
      const joined = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      const whole = joined.length - (joined.length % width);
      // A copy: the caller may reuse its buffer.
      rest = Uint8Array.from(joined.subarray(whole));
      return decodeSamples(joined.subarray(0, whole), encoding);
    },
  };
}

function sampleAt(view: DataView, n: number, encoding: InputEncoding): number {
  switch (encoding) {
    case 'pcm_s16le':
      return view.getInt16(n * 2, true) / 32_768;
    case 'pcm_s32le':
      return view.getInt32(n * 4, true) / 2_147_483_648;
    case 'pcm_f32le':
      return finite(view.getFloat32(n * 4, true));
    case 'pcm_f16le':
      return finite(halfFloatOf(view.getUint16(n * 2, true)));
    case 'pcm_mulaw':
      return (MU_LAW_DECODED[view.getUint8(n)] ?? 0) / 32_768;
    case 'pcm_alaw':
      return (A_LAW_DECODED[view.getUint8(n)] ?? 0) / 32_768;
    default:
      return encoding satisfies never;
  }
}

function linear16(sample: number): number {
  return Math.round(sample * 32_767);
}

/** Bytes that are not audio can decode to NaN or infinity, which would poison every later sum; impossibly loud samples become silence. */
function finite(sample: number): number {
  return Math.abs(sample) <= 1_000 ? sample : 0;
}
