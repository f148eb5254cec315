// Reads the query parameters of the two STT sockets.

import { INPUT_ENCODINGS, type InputEncoding } from '../audio/encodings.ts';
import { isLanguage } from '../languages.ts';
import { type Problem, problem } from '../problems.ts';
import { isSttModel } from '../stt/models.ts';
import type { World } from '../world.ts';

export interface SttParameters {
  readonly model: string;
  readonly encoding: InputEncoding;
  readonly sampleRate: number;
  /** Whether the client asks for the older model, which takes a language and detects pauses itself. */
  readonly isWhisper: boolean;
  readonly language: string;
  /** Seconds of silence after which the older model sends a final transcript; null = only when asked. */
  readonly maxSilenceSeconds: number | null;
}

export type ParametersRead =
  | { readonly outcome: 'read'; readonly value: SttParameters }
  | { readonly outcome: 'refused'; readonly problem: Problem };

const KEYTERMS = 100;
const KEYTERM_CHARACTERS = 1_200;
/** Nobody records speech at rates outside these. */
const SAMPLE_RATES = { from: 8_000, to: 192_000 } as const;

export function readSttParameters(world: World, query: URLSearchParams, kind: 'manual' | 'turns'): ParametersRead {
  const model = query.get('model') ?? '';
  const isWhisper = model.startsWith('ink-whisper');
  if (!isSttModel(model, kind)) return refused(world, 'model_not_found');
  const encoding = INPUT_ENCODINGS.find((name) => name === query.get('encoding'));
  if (encoding === undefined) return refused(world, 'invalid_request', 'The encoding is not valid.');
  const sampleRate = Number(query.get('sample_rate') ?? Number.NaN);
  if (!Number.isInteger(sampleRate) || sampleRate < SAMPLE_RATES.from || sampleRate > SAMPLE_RATES.to) {
    return refused(world, 'invalid_request', 'The sample_rate is not valid.');
  }
  const language = query.get('language') ?? 'en';
  if (!isLanguage(language)) return refused(world, 'language_not_supported');
  const keyterms = query.getAll('keyterm');
  if (keyterms.length > KEYTERMS || keyterms.join('').length > KEYTERM_CHARACTERS) {
    const message = `At most ${KEYTERMS} keyterms and ${KEYTERM_CHARACTERS} characters are allowed.`;
    return refused(world, 'invalid_request', message);
  }
  const silence = query.get('max_silence_duration_secs');
  const maxSilenceSeconds = isWhisper && silence !== null && Number(silence) > 0 ? Number(silence) : null;
  return { outcome: 'read', value: { model, encoding, sampleRate, isWhisper, language, maxSilenceSeconds } };
}

function refused(
  world: World,
  name: 'model_not_found' | 'language_not_supported' | 'invalid_request',
  message?: string,
): ParametersRead {
  // `model_not_found` links to a page about TTS models, which does not fit here.
  const { docUrl: _, ...told } = problem(world.settings, name, message === undefined ? {} : { message });
  return { outcome: 'refused', problem: told };
}
