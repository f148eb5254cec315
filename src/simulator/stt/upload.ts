// Transcribes an uploaded recording.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeSamples, INPUT_ENCODINGS } from '../audio/encodings.ts';
import { type Recording, readRecording } from '../audio/recording.ts';
import { createTranscriber, type Transcript } from '../audio/transcriber.ts';

export interface UploadTranscript extends Transcript {
  /** Length of the recording in seconds. */
  readonly seconds: number;
}

/**
 * Reads a WAV or MP3 file, or any bytes as raw PCM if encoding and sample rate are given.
 * @param signal stops it, with an error, if the client has gone
 * @returns null for audio that cannot be read
 */
export async function transcribeUpload(
  bytes: Buffer,
  raw: { readonly encoding: string | null; readonly sampleRate: string | null },
  signal: AbortSignal,
): Promise<UploadTranscript | null> {
  const recording = readRaw(bytes, raw) ?? (await readRecording(bytes));
  if (recording === undefined) return null;
  const { samples, sampleRate } = recording;
  if (!(sampleRate >= LOWEST_RATE && sampleRate <= HIGHEST_RATE)) return null;
  return { ...(await hear(recording, signal)), seconds: samples.length / sampleRate };
}

/** Transcribing an hour of audio takes seconds, so it is done in pieces between which others get their turn. */
async function hear({ samples, sampleRate }: Recording, signal: AbortSignal): Promise<Transcript> {
  const transcriber = createTranscriber(sampleRate);
  const piece = Math.ceil(sampleRate * PIECE_SECONDS);
  for (let at = 0; at < samples.length; at += piece) {
    if (at > 0) await nextTurn(undefined, { signal });
    transcriber.push(samples.subarray(at, at + piece));
  }
  return transcriber.take();
}

const PIECE_SECONDS = 5;

const LOWEST_RATE = 8_000;
const HIGHEST_RATE = 48_000;

function readRaw(
  bytes: Buffer,
  raw: { readonly encoding: string | null; readonly sampleRate: string | null },
): Recording | undefined {
  const encoding = INPUT_ENCODINGS.find((name) => name === raw.encoding);
  const sampleRate = Number(raw.sampleRate ?? Number.NaN);
  return encoding && Number.isInteger(sampleRate) ? { samples: decodeSamples(bytes, encoding), sampleRate } : undefined;
}
