// Reads the body of a speech request, which has the same fields over HTTP, SSE and the WebSocket.

import type { OutputFormat, PcmFormat } from '../audio/containers.ts';
import { OUTPUT_ENCODINGS, type OutputEncoding } from '../audio/encodings.ts';
import { MP3_KBPS } from '../audio/mp3.ts';
import { isLanguage } from '../languages.ts';
import { type Problem, problem } from '../problems.ts';
import { type ApiVersion, isBefore } from '../version.ts';
import type { World } from '../world.ts';
import { DEFAULT_VOICE_ID, ttsModelState, voiceState } from './catalogue.ts';

export interface GenerationRequest<Format = OutputFormat> {
  readonly modelId: string;
  readonly transcript: string;
  readonly voiceId: string;
  readonly format: Format;
  /** As given; its form is not checked here. Null if missing. */
  readonly contextId: string | null;
  readonly continues: boolean;
  readonly flush: boolean;
  readonly maxBufferDelayMs: number;
  readonly wordTimestamps: boolean;
  readonly phonemeTimestamps: boolean;
  /** Factors on the normal pace and loudness. */
  readonly speed: number;
  readonly volume: number;
}

export type GenerationRead<Format> =
  | { readonly outcome: 'read'; readonly value: GenerationRequest<Format> }
  | { readonly outcome: 'refused'; readonly problem: Problem };

export interface GenerationRules {
  readonly version: ApiVersion;
  /** Messages of a context that has begun may be empty. */
  readonly allowEmptyTranscript: boolean;
}

type Body = Readonly<Record<string, unknown>>;

/** Reads and checks a request as the API of that version would. Unknown fields are ignored. */
export function readGeneration(world: World, body: Body, rules: GenerationRules): GenerationRead<OutputFormat> {
  return outcomeOf(() => read(world, body, rules, readFormat));
}

/** The same for events and sockets, which carry raw audio only. */
export function readStreamedGeneration(world: World, body: Body, rules: GenerationRules): GenerationRead<PcmFormat> {
  return outcomeOf(() => read(world, body, rules, readRawFormat));
}

function outcomeOf<Format>(run: () => GenerationRequest<Format>): GenerationRead<Format> {
  try {
    return { outcome: 'read', value: run() };
  } catch (error) {
    if (error instanceof Refusal) return { outcome: 'refused', problem: error.problem };
    throw error;
  }
}

class Refusal extends Error {
  readonly problem: Problem;
  constructor(cause: Problem) {
    super(cause.message);
    this.problem = cause;
  }
}

function read<Format>(
  world: World,
  body: Body,
  rules: GenerationRules,
  formatIn: (output: Fields) => Format,
): GenerationRequest<Format> {
  const { settings, clock } = world;
  const fields = new Fields(world, body);
  const modelId = fields.string('model_id') ?? fields.missing('model_id');
  const state = ttsModelState(modelId, clock.now());
  if (state === 'unknown') throw new Refusal(problem(settings, 'model_not_found'));
  if (state === 'sunsetted') throw new Refusal(problem(settings, 'model_sunsetted'));
  const transcript = fields.string('transcript') ?? fields.missing('transcript');
  if (transcript === '' && !rules.allowEmptyTranscript) fields.refuse('transcript', 'must not be empty');
  const voiceId = readVoice(fields, rules.version);
  const voice = voiceState(voiceId, modelId, settings.voices.unknown === 'speak');
  if (voice === 'unknown') throw new Refusal(problem(settings, 'voice_not_found'));
  if (voice === 'mismatch') throw new Refusal(problem(settings, 'voice_model_mismatch'));
  checkLanguage(world, fields);
  // These do not change the sound here, but their types are checked.
  for (const name of ['accent', 'normalization', 'pronunciation_dict_id']) fields.string(name);
  fields.boolean('use_normalized_timestamps');
  fields.number('duration', { from: 0, to: Number.MAX_VALUE });
  const prosody = fields.object('generation_config') ?? new Fields(world, {}, 'generation_config');
  prosody.string('emotion');
  return {
    modelId,
    transcript,
    voiceId,
    format: formatIn(fields.object('output_format') ?? fields.missing('output_format')),
    contextId: fields.string('context_id') ?? null,
    continues: fields.boolean('continue') ?? false,
    flush: fields.boolean('flush') ?? false,
    maxBufferDelayMs: fields.number('max_buffer_delay_ms', { from: 0, to: 5_000 }) ?? 3_000,
    wordTimestamps: fields.boolean('add_timestamps') ?? false,
    phonemeTimestamps: fields.boolean('add_phoneme_timestamps') ?? false,
    speed: prosody.number('speed', { from: 0.6, to: 1.5 }) ?? SPEEDS[fields.choice('speed', SPEED_NAMES) ?? 'normal'],
    volume: prosody.number('volume', { from: 0.5, to: 2 }) ?? 1,
  };
}

const SPEEDS = { slow: 0.8, normal: 1, fast: 1.25 } as const;
const SPEED_NAMES = ['slow', 'normal', 'fast'] as const;

/** A bare id since version 2026-08-14, an embedding before 2025-04-16, an object with an id in all versions. */
function readVoice(fields: Fields, version: ApiVersion): string {
  const value = fields.raw('voice') ?? fields.missing('voice');
  if (typeof value === 'string') {
    if (isBefore(version, '2026-08-14')) fields.refuse('voice', 'expected object, received string');
    return value;
  }
  const voice = fields.object('voice') ?? fields.missing('voice');
  const embedding = voice.raw('embedding');
  if (Array.isArray(embedding) && isBefore(version, '2025-04-16')) return DEFAULT_VOICE_ID;
  return voice.string('id') ?? voice.missing('id');
}

function checkLanguage({ settings }: World, fields: Fields): void {
  const language = fields.string('language');
  const locale = fields.string('locale');
  if (language !== undefined && locale !== undefined) {
    fields.refuse('locale', 'language and locale cannot be set together');
  }
  const code = language ?? locale;
  if (code !== undefined && !isLanguage(code)) throw new Refusal(problem(settings, 'language_not_supported'));
}

const SAMPLE_RATES = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000] as const;

function readFormat(output: Fields): OutputFormat {
  const container = output.choice('container', ['raw', 'wav', 'mp3']) ?? output.missing('container');
  const sampleRate = readSampleRate(output);
  if (container !== 'mp3') return { container, sampleRate, encoding: readEncoding(output) };
  const bitRate = output.choice('bit_rate', BIT_RATES) ?? 128_000;
  return { container, sampleRate, kbps: MP3_KBPS[BIT_RATES.indexOf(bitRate)] ?? 128 };
}

function readRawFormat(output: Fields): PcmFormat {
  const container = output.choice('container', ['raw']) ?? output.missing('container');
  return { container, sampleRate: readSampleRate(output), encoding: readEncoding(output) };
}

function readSampleRate(output: Fields): number {
  return output.choice('sample_rate', SAMPLE_RATES) ?? output.missing('sample_rate');
}

function readEncoding(output: Fields): OutputEncoding {
  return output.choice('encoding', OUTPUT_ENCODINGS) ?? output.missing('encoding');
}

const BIT_RATES = MP3_KBPS.map((kbps) => kbps * 1000);

/** Reads an object's fields with their types; null counts as missing. Errors are worded like the published examples. */
class Fields {
  readonly #world: World;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(world: World, values: Readonly<Record<string, unknown>>, path = '') {
    this.#world = world;
    this.#values = values;
    this.#path = path === '' ? '' : `${path}.`;
  }

  raw(name: string): unknown {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
    return value ?? undefined;
  }

  string(name: string): string | undefined {
    const value = this.raw(name);
    return value === undefined || typeof value === 'string'
      ? value
      : this.refuse(name, 'Invalid input: expected string');
  }

  boolean(name: string): boolean | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.refuse(name, 'Invalid input: expected boolean');
  }

  number(name: string, range: { readonly from: number; readonly to: number }): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number') return this.refuse(name, 'Invalid input: expected number');
    if (value < range.from || value > range.to) this.refuse(name, `must be between ${range.from} and ${range.to}`);
    return value;
  }

  choice<const T extends string | number>(name: string, choices: readonly T[]): T | undefined {
    const value = this.raw(name);
    const found = choices.find((choice) => choice === value);
    if (found !== undefined || value === undefined) return found;
    return this.refuse(
      name,
      `Invalid option: expected one of ${choices.map((choice) => JSON.stringify(choice)).join('|')}`,
    );
  }

  object(name: string): Fields | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) return this.refuse(name, 'Invalid input: expected object');
    return new Fields(this.#world, value as Readonly<Record<string, unknown>>, `${this.#path}${name}`);
  }

  missing(name: string): never {
    return this.refuse(name, 'Required');
  }

  refuse(name: string, reason: string): never {
    const message = `✖ ${reason}\n  → at ${this.#path}${name}`;
    throw new Refusal(problem(this.#world.settings, 'invalid_request', { message }));
  }
}
