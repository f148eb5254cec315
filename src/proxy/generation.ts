// What a generation request says about itself, as far as policy and usage look at it. The bytes are forwarded as they came.
import type { ContentWish } from '../policy/content.ts';
import type { OutputFormat } from '../usage/units.ts';

export interface GenerationRequest {
  readonly wish: ContentWish;
  readonly format: OutputFormat;
  readonly contextId: string | null;
}

/** Reads leniently: what has an unexpected type counts as absent, and upstream says what it thinks of it. */
export function readGeneration(body: unknown): GenerationRequest {
  const fields = record(body);
  const format = record(fields['output_format']);
  const container = text(format['container']);
  const encoding = text(format['encoding']);
  return {
    wish: {
      model: text(fields['model_id']),
      voice: voiceId(fields['voice']),
      language: text(fields['language']) ?? languageOf(text(fields['locale'])),
      container,
      encoding,
      transcript: text(fields['transcript']) ?? '',
    },
    format: {
      container: container ?? '',
      encoding,
      sampleRate: number(format['sample_rate']),
      bitRate: number(format['bit_rate']),
    },
    contextId: text(fields['context_id']),
  };
}

/** A bare id since 2026-08-14, an object with `id` before. An embedding is no id, so a rule on voices does not let it pass. */
function voiceId(voice: unknown): string | null {
  return text(voice) ?? text(record(voice)['id']);
}

/** `en-GB` is English for a rule that names languages. */
function languageOf(locale: string | null): string | null {
  return locale?.split('-')[0] ?? null;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}; // any object reads so
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
