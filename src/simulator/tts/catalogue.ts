// The speech models, voices and accents that the simulated account knows.

/** A voice of the library, in the shape of `GET /voices` since 2026-08-14. */
export interface Voice {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly language: string;
  readonly gender: 'masculine' | 'feminine' | 'gender_neutral';
  readonly country: string;
  readonly accent: string;
  /** Model families that the voice does not work with. */
  readonly incompatibleModels: readonly string[];
}

/** The voice of agents that are given none, and of any embedding. */
export const DEFAULT_VOICE_ID = 'a0e99841-438c-4a64-b679-ae501e7d6091';

/** Ids as they appear in Cartesia's documentation and samples; names and texts are invented. */
export const VOICES: readonly Voice[] = [
  {
    id: DEFAULT_VOICE_ID,
    name: 'Simulated Baritone',
    description: 'A calm, low tone for long texts.',
    language: 'en',
    gender: 'masculine',
    country: 'US',
    accent: 'general-american',
    incompatibleModels: [],
  },
  {
    id: '6ccbfb76-1fc6-48f7-b71d-91ac6298247b',
    name: 'Simulated Alto',
    description: 'A bright tone for conversations.',
    language: 'en',
    gender: 'feminine',
    country: 'US',
    accent: 'general-american',
    incompatibleModels: [],
  },
  {
    id: '694f9389-aac1-45b6-b726-9d9369183238',
    name: 'Simulated Tenor',
    description: 'A lively tone for announcements.',
    language: 'en',
    gender: 'gender_neutral',
    country: 'GB',
    accent: 'british',
    incompatibleModels: [],
  },
  {
    id: 'e07c00bc-4134-4eae-9ea4-1a55fb45746b',
    name: 'Simulated Archive',
    description: 'A voice of an older model, for the error that the newer ones give.',
    language: 'en',
    gender: 'feminine',
    country: 'US',
    accent: 'general-american',
    incompatibleModels: ['sonic-3.5', 'sonic-3.6', 'sonic-latest', 'sonic-preview'],
  },
];

/** A part of the accent catalogue, sorted by id. */
export const ACCENTS = [
  { id: 'british', name: 'British', language: 'en', locale: 'en-GB' },
  { id: 'general-american', name: 'General American', language: 'en', locale: 'en-US' },
  { id: 'high-german', name: 'High German', language: 'de', locale: 'de-DE' },
  { id: 'parisian', name: 'Parisian', language: 'fr', locale: 'fr-FR' },
] as const;

const TTS_MODEL = /^(sonic(?:-(?:3\.6|3\.5|3|2|turbo|latest|preview|english|multilingual))?)(?:-\d{4}-\d{2}-\d{2})?$/;

/** Dates from which models are refused with `model_sunsetted`. @see https://docs.cartesia.ai/build-with-cartesia/tts-models/api-changes */
const SUNSETS: Readonly<Record<string, string>> = {
  sonic: '2026-06-01',
  'sonic-english': '2026-06-01',
  'sonic-multilingual': '2026-06-01',
  'sonic-2': '2026-10-21',
  'sonic-turbo': '2026-10-21',
  'sonic-3-2025-10-27': '2026-10-21',
};

export type ModelState = 'available' | 'sunsetted' | 'unknown';

/** @param nowMs epoch milliseconds of the simulated clock */
export function ttsModelState(model: string, nowMs: number): ModelState {
  const family = TTS_MODEL.exec(model)?.[1];
  if (family === undefined) return 'unknown';
  const sunset = SUNSETS[model] ?? SUNSETS[family];
  return sunset !== undefined && nowMs >= Date.parse(sunset) ? 'sunsetted' : 'available';
}

export type VoiceState = 'available' | 'mismatch' | 'unknown';

/** Whether a voice exists and works with a model. `anyUuid`: any UUID outside the library counts as a voice too. */
export function voiceState(id: string, model: string, anyUuid: boolean): VoiceState {
  const voice = VOICES.find((known) => known.id === id);
  if (voice === undefined) return anyUuid && UUID.test(id) ? 'available' : 'unknown';
  const family = TTS_MODEL.exec(model)?.[1];
  return voice.incompatibleModels.some((name) => name === family) ? 'mismatch' : 'available';
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
