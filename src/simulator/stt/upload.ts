// Transcribes an uploaded recording.

import { decodeSamples, INPUT_ENCODINGS } from '../audio/encodings.ts';
import { type Recording, readRecording } from '../audio/recording.ts';
import { type Transcript, transcribe } from '../audio/transcriber.ts';

export interface UploadTranscript extends Transcript {
  /** Length of the recording in seconds. */
  readonly seconds: number;
}

/**
 * Reads a WAV or MP3 file, or any bytes as raw PCM if encoding and sample rate are given.
 * @returns null for audio that cannot be read
 */
export async function transcribeUpload(
  bytes: Buffer,
  raw: { readonly encoding: string | null; readonly sampleRate: string | null },
): Promise<UploadTranscript | null> {
  const recording = readRaw(bytes, raw) ?? (await readRecording(bytes));
  if (recording === undefined) return null;
  const { samples, sampleRate } = recording;
  if (!(sampleRate >= LOWEST_RATE && sampleRate <= HIGHEST_RATE)) return null;
  return { ...transcribe(samples, sampleRate), seconds: samples.length / sampleRate };
}

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
