/**
 * Encodes and decodes MP3 with LAME and mpg123 compiled to WebAssembly. Both are loaded on first use, because most runs of the
 * simulator never need them.
 */

import type { Recording } from './wav.ts';

/** kbit/s that Cartesia offers. */
export const MP3_KBPS = [32, 64, 96, 128, 192] as const;
export type Mp3Kbps = (typeof MP3_KBPS)[number];

export interface Mp3Encoder {
  /** Returns encoded frames; empty while a frame is not full. */
  encode(samples: Float32Array): Uint8Array;
  /** Returns the last frames. The encoder cannot be used afterwards. */
  finish(): Uint8Array;
}

/** @param sampleRate Hz, one that MP3 has: 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100 or 48000 */
export async function createMp3Encoder(sampleRate: number, kbps: Mp3Kbps): Promise<Mp3Encoder> {
  const { createMp3Encoder: create } = await import('wasm-media-encoders');
  const encoder = await create();
  type OutputRate = NonNullable<Parameters<typeof encoder.configure>[0]['outputSampleRate']>;
  // Without this, LAME lowers the sample rate at low bit rates.
  encoder.configure({ channels: 1, sampleRate, outputSampleRate: sampleRate as OutputRate, bitrate: kbps });
  // The library returns views of its own memory, which the next call overwrites.
  return {
    encode: (samples) => (samples.length === 0 ? new Uint8Array(0) : Uint8Array.from(encoder.encode([samples]))),
    finish: () => Uint8Array.from(encoder.finalize()),
  };
}

/** Whether the bytes begin with an ID3 tag, or with a frame: eleven set bits and layer III. */
export function isMp3(bytes: Uint8Array): boolean {
  const [first = 0, second = 0, third = 0] = bytes;
  return (first === 0x49 && second === 0x44 && third === 0x33) || (first === 0xff && (second & 0xe6) === 0xe2);
}

/** Returns undefined if no frame can be decoded. */
export async function readMp3(bytes: Uint8Array): Promise<Recording | undefined> {
  const { MPEGDecoder } = await import('mpg123-decoder');
  const decoder = new MPEGDecoder();
  try {
    await decoder.ready;
    const { channelData, sampleRate } = decoder.decode(bytes);
    const [left, right] = channelData;
    if (left === undefined || left.length === 0) return undefined;
    return {
      samples: right === undefined ? left : left.map((sample, n) => (sample + (right[n] ?? 0)) / 2),
      sampleRate,
    };
  } finally {
    decoder.free();
  }
}
