// Changes some of the settings, by a program or over the control API, after checking all of the change.

import { LONGEST_TIMER_MS } from './clock.ts';
import { isRecord } from './is-record.ts';
import { PLAN_LIMITS, PLANS, type Plan, type Settings } from './settings.ts';

/** Some of the settings, nested like them. */
export type SettingsPatch = DeepPartial<Settings>;

type DeepPartial<T> = {
  readonly [K in keyof T]?: T[K] extends readonly unknown[]
    ? T[K]
    : T[K] extends object
      ? DeepPartial<T[K]>
      : T[K] | undefined;
};

/** Thrown for a patch that names an unknown setting or gives one a wrong value. The message says which. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/**
 * Writes a patch into the settings, in place: whoever holds a part of them sees the change. A plan also sets its limits, before any limit
 * of the same patch.
 * @throws SettingsError for an unknown name or a wrong value, without changing anything
 */
export function configure(settings: Settings, patch: unknown): void {
  if (!isRecord(patch)) throw new SettingsError('settings must be an object');
  // Tried on a copy first, because the last name of a patch may be the wrong one.
  for (const target of [structuredClone(settings), settings]) {
    if (patch['plan'] !== undefined) Object.assign(target.limits, PLAN_LIMITS[planNamed(patch['plan'])]);
    merge(target, patch, '');
  }
}

/** @throws SettingsError if it is not the name of a plan */
export function planNamed(value: unknown): Plan {
  const plan = PLANS.find((name) => name === value);
  if (plan === undefined) throw new SettingsError(`plan must be one of ${PLANS.join(', ')}`);
  return plan;
}

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  plan: PLANS,
  'credentials.several': ['refuse', 'first'],
  'voices.unknown': ['speak', 'refuse'],
  'sse.framing': ['data', 'error_event', 'event'],
  'sse.lineEnd': ['lf', 'crlf'],
  'sockets.badCredential': ['upgrade', 'event'],
  'sockets.sttLimit': ['upgrade', 'event'],
};

function merge(target: object, patch: object, prefix: string): void {
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    const path = `${prefix}${key}`;
    if (!Object.hasOwn(target, key)) throw new SettingsError(`unknown setting: ${path}`);
    const slot = target as Record<string, unknown>;
    const current = slot[key];
    if (!isRecord(current)) slot[key] = checked(path, current, value);
    else if (isRecord(value)) merge(current, value, `${path}.`);
    else throw new SettingsError(`${path} must be an object`);
  }
}

function checked(path: string, current: unknown, value: unknown): unknown {
  const choices = CHOICES[path];
  if (choices !== undefined && !choices.includes(value as string)) {
    throw new SettingsError(`${path} must be one of ${choices.join(', ')}`);
  }
  if (path === 'credits' && value === null) return null;
  if (Array.isArray(current)) {
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return [...value];
    throw new SettingsError(`${path} must be a list of strings`);
  }
  const type = path === 'credits' ? 'number' : typeof current;
  if (typeof value !== type) throw new SettingsError(`${path} must be a ${type}`);
  if (type === 'number' && !((value as number) >= 0)) throw new SettingsError(`${path} must not be negative`);
  const smallest = SMALLEST[path];
  if (smallest !== undefined && (value as number) < smallest) {
    throw new SettingsError(`${path} must be at least ${smallest}`);
  }
  if (path.startsWith('latency.') && (value as number) > LONGEST_TIMER_MS) {
    throw new SettingsError(`${path} must be at most ${LONGEST_TIMER_MS}`);
  }
  if (path.startsWith('errorStatuses.') && !isErrorStatus(value)) {
    throw new SettingsError(`${path} must be a status from 400 to 599`);
  }
  return value;
}

const SMALLEST: Readonly<Record<string, number>> = {
  // One sample of the widest encoding: with less, no chunk would ever hold any audio.
  chunkBytes: 4,
  // `ws` takes 0 for no limit at all.
  'sizes.messageBytes': 1,
};

function isErrorStatus(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 400 && (value as number) <= 599;
}
