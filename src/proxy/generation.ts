// Reads what policy and usage need from a generation request. Its bytes are forwarded unchanged.

import { languageOf } from '../config/language.ts';
import { Problem } from '../errors/problems.ts';
import type { ContentWish } from '../policy/content.ts';
import type { OutputFormat } from '../usage/units.ts';
import { caseVariantOf } from './case-variant.ts';

export interface GenerationRequest {
  readonly wish: ContentWish;
  readonly format: OutputFormat;
  readonly contextId: string | null;
}

/**
 * Reads leniently: a value of an unexpected type counts as absent, and upstream judges it. Not so for a transcript or a language: absent, it
 * is free and allowed.
 * @throws Problem `invalid_request` for what readers could understand differently: `Voice` for `voice`, a `locale` of another language, or
 * a list as transcript
 */
export function readGeneration(body: unknown): GenerationRequest {
  const fields = record(body);
  const format = record(fields['output_format']);
  requireExactNames(fields, FIELDS);
  requireExactNames(format, FORMAT_FIELDS);
  const container = text(format['container']);
  const encoding = text(format['encoding']);
  return {
    wish: {
      model: text(fields['model_id']),
      voice: voiceId(fields['voice']),
      language: onlyLanguage(textOrNothing(fields, 'language'), textOrNothing(fields, 'locale')),
      container,
      encoding,
      transcript: textOrNothing(fields, 'transcript') ?? '',
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

const FIELDS: ReadonlySet<string> = new Set(['model_id', 'transcript', 'voice', 'language', 'locale', 'output_format']);
const FORMAT_FIELDS: ReadonlySet<string> = new Set(['container', 'encoding', 'sample_rate', 'bit_rate']);
const VOICE_FIELDS: ReadonlySet<string> = new Set(['mode', 'id', 'embedding']);

/** Some JSON readers ignore case in names: a second spelling would be a second value, which the policy does not see. */
function requireExactNames(fields: Readonly<Record<string, unknown>>, names: ReadonlySet<string>): void {
  for (const name in fields) {
    const meant = caseVariantOf(name, names);
    if (meant !== null) throw new Problem('invalid_request', `Write the field "${meant}" in plain lower case.`);
  }
}

/** A bare id since 2026-08-14, an object with `id` before. An embedding is no id, so a rule on voices does not let it pass. */
function voiceId(voice: unknown): string | null {
  const fields = record(voice);
  requireExactNames(fields, VOICE_FIELDS);
  const { mode = 'id', embedding } = fields;
  return text(voice) ?? (mode === 'id' && embedding === undefined ? text(fields['id']) : null);
}

function onlyLanguage(language: string | null, locale: string | null): string | null {
  if (language !== null && locale !== null && languageOf(language) !== languageOf(locale))
    throw new Problem('invalid_request', 'Set "language" or "locale", not both.');
  return language ?? locale;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}; // true of any object
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function textOrNothing(fields: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = fields[name] ?? null;
  if (value !== null && typeof value !== 'string')
    throw new Problem('invalid_request', `The field "${name}" has the wrong type.`);
  return value;
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
