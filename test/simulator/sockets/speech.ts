// Makes audio as clients send it, and transcribes audio that they receive.

import { decodeSamples, encodeSamples, type OutputEncoding } from '../../../src/simulator/audio/encodings.ts';
import { synthesise } from '../../../src/simulator/audio/synthesiser.ts';
import { transcribe } from '../../../src/simulator/audio/transcriber.ts';
import { VOICE } from '../call.ts';
import type { Message } from './socket-client.ts';

export interface AudioFormat {
  readonly encoding: OutputEncoding;
  readonly sampleRate: number;
}

export const S16_16K: AudioFormat = { encoding: 'pcm_s16le', sampleRate: 16_000 };

/** Spoken text in frames of 100 ms, followed by silence. */
export function spoken(
  text: string,
  silenceSeconds = 0,
  { encoding, sampleRate }: AudioFormat = S16_16K,
): Uint8Array[] {
  const { samples } = synthesise({ transcript: text, voiceId: VOICE, sampleRate });
  const all = new Float32Array(samples.length + Math.round(silenceSeconds * sampleRate));
  all.set(samples);
  const frame = sampleRate / 10;
  const frames: Uint8Array[] = [];
  for (let at = 0; at < all.length; at += frame) frames.push(encodeSamples(all.subarray(at, at + frame), encoding));
  return frames;
}

/** The text in several pieces of base64 audio. */
export function heardIn(pieces: readonly unknown[], { encoding, sampleRate }: AudioFormat = S16_16K): string {
  const bytes = Buffer.concat(pieces.map((piece) => Buffer.from(String(piece), 'base64')));
  return transcribe(decodeSamples(bytes, encoding), sampleRate).text;
}

/** The text in the chunks of a TTS context. */
export function heardInChunks(messages: readonly Message[], contextId: string, format: AudioFormat = S16_16K): string {
  const chunks = messages.filter(({ type, context_id: id }) => type === 'chunk' && id === contextId);
  return heardIn(
    chunks.map(({ data }) => data),
    format,
  );
}
