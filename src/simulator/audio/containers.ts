/** Streams speech in the container that a client asked for. */

import { decodeSamples, type OutputEncoding } from './encodings.ts';
import { createMp3Encoder, type Mp3Kbps } from './mp3.ts';
import { createSpeech, type Speech, type SpeechSettings } from './synthesiser.ts';
import { wavHeader } from './wav.ts';

export interface PcmFormat {
  readonly container: 'raw' | 'wav';
  readonly encoding: OutputEncoding;
  readonly sampleRate: number;
}

export type OutputFormat =
  | PcmFormat
  | { readonly container: 'mp3'; readonly kbps: Mp3Kbps; readonly sampleRate: number };

export const CONTENT_TYPES: Readonly<Record<OutputFormat['container'], string>> = {
  raw: 'audio/pcm',
  wav: 'audio/wav',
  mp3: 'audio/mpeg',
};

export interface SpeakRequest extends Omit<SpeechSettings, 'sampleRate'> {
  readonly transcript: string;
  readonly format: OutputFormat;
  /** Upper bound of the audio bytes in one piece. */
  readonly chunkBytes: number;
}

/**
 * The whole response to one request, piece by piece, each made only when it is read. A WAV's header comes with its first piece and
 * says that the length is not known.
 */
export async function* speak(request: SpeakRequest): AsyncGenerator<Uint8Array, void, undefined> {
  const { format, chunkBytes } = request;
  const encoding = format.container === 'mp3' ? 'pcm_f32le' : format.encoding;
  const speech = createSpeech({ ...request, sampleRate: format.sampleRate, encoding });
  speech.say(request.transcript);
  speech.finish();
  if (format.container === 'mp3') yield* mp3Pieces(speech, format.kbps, chunkBytes);
  else if (format.container === 'raw') while (speech.pendingBytes > 0) yield speech.read(chunkBytes);
  else {
    yield Buffer.concat([wavHeader(format.encoding, format.sampleRate), speech.read(chunkBytes)]);
    while (speech.pendingBytes > 0) yield speech.read(chunkBytes);
  }
}

async function* mp3Pieces(
  speech: Speech,
  kbps: Mp3Kbps,
  chunkBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = await createMp3Encoder(speech.sampleRate, kbps);
  while (speech.pendingBytes > 0) {
    const bytes = encoder.encode(decodeSamples(speech.read(chunkBytes), 'pcm_f32le'));
    if (bytes.length > 0) yield bytes;
  }
  const last = encoder.finish();
  if (last.length > 0) yield last;
}
