// Checks a fault rule that arrives as JSON.

import { validateHeaderName, validateHeaderValue } from 'node:http';
import { LONGEST_TIMER_MS } from '../clock.ts';
import type { FaultAction, FaultMatch, FaultRule } from '../faults.ts';
import { isRecord } from '../is-record.ts';
import { PROBLEMS } from '../problems.ts';

/** Thrown for a rule that cannot be carried out. The message names the field. */
export class FaultRuleError extends Error {
  override readonly name = 'FaultRuleError';
}

type Check = (value: unknown) => boolean;
type Fields = Readonly<Record<string, Check>>;

const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';
const count: Check = (value) => Number.isInteger(value) && (value as number) >= 0;
const status: Check = (value) => Number.isInteger(value) && (value as number) >= 200 && (value as number) <= 599;
const closeCode: Check = (value) => Number.isInteger(value) && (value as number) >= 1000 && (value as number) <= 4999;
const oneOf =
  (...choices: readonly string[]): Check =>
  (value) =>
    choices.includes(value as string);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const milliseconds: Check = (value) => count(value) && (value as number) <= LONGEST_TIMER_MS;
const headerName: Check = (value) => text(value) && passes(() => validateHeaderName(value as string));
const headerValue: Check = (value) => text(value) && passes(() => validateHeaderValue('x', value as string));
const headers: Check = (value) =>
  isRecord(value) && Object.entries(value).every(([name, content]) => headerName(name) && headerValue(content));

/** Far more than any client takes; Node cannot make a text of more than 2 ** 29. */
const LONGEST_HEADER = 16 * 1024 * 1024;
// biome-ignore lint/suspicious/noControlCharactersInRegex: every byte
const LATIN_1 = /^[\x00-\xff]*$/;

function passes(validate: () => void): boolean {
  try {
    validate();
    return true;
  } catch {
    return false;
  }
}

/** The fields of each action. */
const ACTIONS: Readonly<Record<FaultAction['type'], Fields>> = {
  refuse: { at: optional(oneOf('accept', 'request')) },
  hang: { at: optional(oneOf('accept', 'request')) },
  delay: { ms: milliseconds },
  drip: { part: oneOf('headers', 'body'), intervalMs: milliseconds },
  reset: { afterBodyBytes: count },
  half_close: { at: oneOf('before_headers', 'inside_headers', 'body'), afterBodyBytes: optional(count) },
  garbage: { bytes: text, keepOpen: optional(flag) },
  truncate_events: { afterEvents: count, partial: optional(flag), end: optional(oneOf('clean', 'fin', 'reset')) },
  error_event: { afterEvents: count, problem: oneOf(...Object.keys(PROBLEMS)) },
  answer: {
    status,
    code: optional((value) => value === null || text(value)),
    title: optional(text),
    message: optional(text),
    fields: optional(isRecord),
    retryAfter: optional((value) => headerValue(value) || count(value)),
    headers: optional(headers),
    html: optional(flag),
    body: optional(text),
    contentType: optional(headerValue),
    echoAuthorization: optional(flag),
  },
  redirect: { location: headerValue, status: optional(status) },
  big_header: { bytes: (value) => count(value) && (value as number) <= LONGEST_HEADER, name: optional(headerName) },
  close_socket: { code: closeCode, reason: optional(text), afterFrames: optional(count) },
  reset_socket: { afterFrames: optional(count) },
  hang_socket: { afterFrames: optional(count) },
  garbage_socket: { as: oneOf('text', 'binary', 'raw'), bytes: text, afterFrames: optional(count) },
};

/** The names of all actions. */
export const FAULT_TYPES: readonly string[] = Object.keys(ACTIONS);

/** @throws FaultRuleError */
export function parseFaultRule(value: unknown): FaultRule {
  if (!isRecord(value)) throw new FaultRuleError('a fault rule is an object with match and action');
  checkFields('', value, { match: optional(isRecord), times: optional(count), action: isRecord });
  const match = (value['match'] ?? {}) as FaultMatch;
  checkFields('match.', match, { method: optional(text), path: optional(text) });
  const action = value['action'] as FaultAction;
  const fields = Object.hasOwn(ACTIONS, String(action.type)) ? ACTIONS[action.type] : undefined;
  if (fields === undefined) throw new FaultRuleError(`action.type must be one of ${FAULT_TYPES.join(', ')}`);
  checkFields('action.', action, { type: text, ...fields });
  const isText = 'as' in action && action.as === 'text';
  if ('bytes' in action && typeof action.bytes === 'string' && !isText && !LATIN_1.test(action.bytes)) {
    throw new FaultRuleError('action.bytes must be Latin-1, one character for each byte');
  }
  if ('at' in action && action.at === 'accept' && Object.keys(match).length > 0) {
    throw new FaultRuleError('match must be empty for at: accept, which comes before any request');
  }
  return { match, action, ...(value['times'] === undefined ? {} : { times: value['times'] as number }) };
}

function checkFields(prefix: string, value: object, fields: Fields): void {
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(fields, name)) throw new FaultRuleError(`unknown field: ${prefix}${name}`);
  }
  for (const [name, check] of Object.entries(fields)) {
    if (!check((value as Record<string, unknown>)[name]))
      throw new FaultRuleError(`${prefix}${name} is missing or not valid`);
  }
}
