/** Writes and reads RIFF/WAVE files. @see https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html */

import { decodeSamples, type InputEncoding, type OutputEncoding } from './encodings.ts';

const FORMAT_TAGS = { pcm_s16le: 1, pcm_f32le: 3, pcm_alaw: 6, pcm_mulaw: 7 } as const satisfies Record<
  OutputEncoding,
  number
>;
const EXTENSIBLE = 0xfffe;
/** The length in a header that is sent before the audio is known, as in Cartesia's streamed files. */
const STREAMED_LENGTH = 0xffffffff;

/** The header of a mono file whose length is not known yet. */
export function wavHeader(encoding: OutputEncoding, sampleRate: number): Buffer {
  const bytesPerSample = { pcm_s16le: 2, pcm_f32le: 4, pcm_alaw: 1, pcm_mulaw: 1 }[encoding];
  // Formats other than plain PCM must state the length of their extension (0) and carry a `fact` chunk.
  const isPlain = encoding === 'pcm_s16le';
  const header = Buffer.alloc(isPlain ? 44 : 58);
  let at = header.write('RIFF', 0, 'latin1');
  at = header.writeUInt32LE(STREAMED_LENGTH, at);
  at += header.write('WAVEfmt ', at, 'latin1');
  at = header.writeUInt32LE(isPlain ? 16 : 18, at);
  at = header.writeUInt16LE(FORMAT_TAGS[encoding], at);
  at = header.writeUInt16LE(1, at);
  at = header.writeUInt32LE(sampleRate, at);
  at = header.writeUInt32LE(sampleRate * bytesPerSample, at);
  at = header.writeUInt16LE(bytesPerSample, at);
  at = header.writeUInt16LE(bytesPerSample * 8, at);
  if (!isPlain) {
    at = header.writeUInt16LE(0, at);
    at += header.write('fact', at, 'latin1');
    at = header.writeUInt32LE(4, at);
    at = header.writeUInt32LE(STREAMED_LENGTH, at);
  }
  at += header.write('data', at, 'latin1');
  header.writeUInt32LE(STREAMED_LENGTH, at);
  return header;
}

export interface Recording {
  /** Mono: channels are mixed down. */
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

export function isWav(bytes: Uint8Array): boolean {
  return latin1(bytes, 0, 4) === 'RIFF' && latin1(bytes, 8, 12) === 'WAVE';
}

/** Reads a file in any of the usual sample formats; undefined if it is damaged or its format is unknown. */
export function readWav(bytes: Uint8Array): Recording | undefined {
  if (!isWav(bytes)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: WavFormat | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const id = latin1(bytes, at, at + 4);
    const length = view.getUint32(at + 4, true);
    const body = at + 8;
    // A length beyond the end (in a streamed or truncated file) means "all there is".
    const end = Math.min(bytes.length, body + length);
    if (id === 'fmt ' && end - body >= 16) format = formatOf(view, body, end);
    if (id === 'data') return format && samplesOf(bytes.subarray(body, end), format);
    at = body + length + (length % 2);
  }
  return undefined;
}

interface WavFormat {
  readonly tag: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly bits: number;
}

function formatOf(view: DataView, at: number, end: number): WavFormat {
  const tag = view.getUint16(at, true);
  return {
    // An extensible format names the real one in the first two bytes of its GUID.
    tag: tag === EXTENSIBLE && end - at >= 26 ? view.getUint16(at + 24, true) : tag,
    channels: view.getUint16(at + 2, true),
    sampleRate: view.getUint32(at + 4, true),
    bits: view.getUint16(at + 14, true),
  };
}

function samplesOf(data: Uint8Array, format: WavFormat): Recording | undefined {
  const interleaved = decoded(data, format);
  if (interleaved === undefined || format.channels < 1 || format.sampleRate < 1) return undefined;
  return { samples: mixDown(interleaved, format.channels), sampleRate: format.sampleRate };
}

const ENCODING_OF_FORMAT: Readonly<Record<string, InputEncoding>> = {
  '1/16': 'pcm_s16le',
  '1/32': 'pcm_s32le',
  '3/32': 'pcm_f32le',
  '6/8': 'pcm_alaw',
  '7/8': 'pcm_mulaw',
};

function decoded(data: Uint8Array, { tag, bits }: WavFormat): Float32Array | undefined {
  const encoding = ENCODING_OF_FORMAT[`${tag}/${bits}`];
  if (encoding !== undefined) return decodeSamples(data, encoding);
  if (tag === 1 && bits === 8) return Float32Array.from(data, (byte) => (byte - 128) / 128);
  if (tag === 1 && bits === 24) {
    return Float32Array.from({ length: Math.floor(data.length / 3) }, (_, n) => {
      const at = n * 3;
      return (((data[at] ?? 0) << 8) | ((data[at + 1] ?? 0) << 16) | ((data[at + 2] ?? 0) << 24)) / 2_147_483_648;
    });
  }
  return undefined;
}

/** Averages interleaved channels into one. */
function mixDown(interleaved: Float32Array, channels: number): Float32Array {
  if (channels === 1) return interleaved;
  return Float32Array.from({ length: Math.floor(interleaved.length / channels) }, (_, n) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1) sum += interleaved[n * channels + channel] ?? 0;
    return sum / channels;
  });
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.subarray(from, to)).toString('latin1');
}
