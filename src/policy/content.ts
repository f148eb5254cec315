// What a client app's subjects may have generated or transcribed: models, voices, languages, formats, length. Pure.

import { languageOf } from '../config/language.ts';
import { countCharacters } from '../usage/units.ts';
import { ALLOWED, denied, type Verdict } from './verdict.ts';

/** `null` restricts nothing. */
export interface ContentRules {
  readonly models: readonly string[] | null;
  readonly voices: readonly string[] | null;
  /** Without regions. */
  readonly languages: readonly string[] | null;
  /** `container`, `encoding` or `container/encoding`, each as the API names it. */
  readonly formats: readonly string[] | null;
  /** Characters (Unicode code points) of one transcript. */
  readonly maxTranscript: number | null;
}

/** What a request asks for, as far as the rules look at it. `null` = it does not say. */
export interface ContentWish {
  readonly model: string | null;
  readonly voice: string | null;
  /** With or without a region, which is ignored. */
  readonly language: string | null;
  readonly container: string | null;
  readonly encoding: string | null;
  /** `null` for transcription. */
  readonly transcript: string | null;
}

/**
 * A request must name everything that a rule restricts, except the language: an upstream default would be a choice that nobody has made.
 * The message of a refusal names the field and never its value.
 */
export function checkContent(wish: ContentWish, rules: ContentRules): Verdict {
  if (!allows(rules.models, wish.model)) return mayNotUse('model');
  const language = wish.language === null ? null : languageOf(wish.language);
  if (wish.transcript === null) return allows(rules.languages, language, true) ? ALLOWED : mayNotUse('language');
  if (!allows(rules.voices, wish.voice)) return mayNotUse('voice');
  if (!allows(rules.languages, language, true)) return mayNotUse('language');
  if (!allowsFormat(rules.formats, wish)) return mayNotUse('output format');
  if (rules.maxTranscript !== null && countCharacters(wish.transcript) > rules.maxTranscript) {
    return denied(`The transcript is longer than the ${rules.maxTranscript} characters this caller may use.`);
  }
  return ALLOWED;
}

function mayNotUse(what: string): Verdict {
  return denied(`This caller may not use this ${what}.`);
}

function allows(list: readonly string[] | null, value: string | null, isOptional = false): boolean {
  if (list === null) return true;
  return value === null ? isOptional : list.includes(value);
}

function allowsFormat(formats: readonly string[] | null, { container, encoding }: ContentWish): boolean {
  if (formats === null) return true;
  const both = container === null || encoding === null ? null : `${container}/${encoding}`;
  return formats.some((format) => format === container || format === encoding || format === both);
}
