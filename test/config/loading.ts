// Loads a configuration for a test and reports the outcome as short lines.

import type { Config } from '../../src/config/config.ts';
import { type ConfigProblem, formatProblem, loadConfig } from '../../src/config/load.ts';

export type Env = Readonly<Record<string, string>>;

/** SHA-256 of the text "test"; not the hash of any key in use. */
export const KEY_HASH = 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
export const OTHER_KEY_HASH = `sha256:${'0'.repeat(63)}1`;
export const API_KEY = 'sk_car_0123456789.abcdefghij';
export const SIGNING_SECRET = 'a-signing-secret-of-more-than-32-bytes';

/** The minimal environment that `serve` needs. */
export const LEAST: Env = { CARTESIA_API_KEY: API_KEY, CLIENT_KEYS: `web=${KEY_HASH}` };

/** Returns the configuration; throws with every problem if it is refused. */
export async function configOf(env: Env): Promise<Config> {
  const loaded = await loadConfig(env);
  if (loaded.outcome === 'refused') throw new Error(lines(loaded.problems).join('\n'));
  return loaded.config;
}

/** Every problem, one per line; empty if the configuration is loaded. */
export async function problemsOf(env: Env): Promise<string[]> {
  const loaded = await loadConfig(env);
  return loaded.outcome === 'refused' ? lines(loaded.problems) : [];
}

/** Every warning, one per line. */
export async function warningsOf(env: Env): Promise<string[]> {
  return lines((await loadConfig(env)).warnings);
}

function lines(problems: readonly ConfigProblem[]): string[] {
  return problems.map(formatProblem);
}
