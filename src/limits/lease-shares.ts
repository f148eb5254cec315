// Derives the rules of each pool, and each client app's share in it, from the configuration. Pure.
import type { ClientConfig, Config } from '../config/config.ts';
import type { LeaseKind, PoolRules } from '../store/lease-rules.ts';

export interface LeaseShare {
  readonly clientMax: number | null;
  readonly subjectMax: number | null;
  readonly weight: number;
  /** Whether the client app or its subjects have a limit, even if the account has none. */
  readonly isLimited: boolean;
}

/**
 * Cartesia allows ten open TTS sockets for each concurrent generation.
 * @see https://docs.cartesia.ai/use-the-api/concurrency-limits-and-timeouts
 */
const SOCKETS_PER_GENERATION = 10;

export function poolRules(
  kind: LeaseKind,
  { upstream, limits, clients }: Pick<Config, 'upstream' | 'limits' | 'clients'>,
): PoolRules {
  const { concurrency } = upstream;
  if (kind === 'tts_socket') {
    // An open socket generates nothing yet, so no reserve is kept.
    const limit = concurrency.tts === null ? null : concurrency.tts * SOCKETS_PER_GENERATION;
    return { limit, reserved: new Map(), queueMax: limits.queue.length };
  }
  const limit = concurrency[kind];
  // A client app without the grant would never use its reserve, and nobody else could.
  const reserved = clients
    .filter(({ grants }) => grants.includes(kind))
    .map(({ name, limits: own }) => [name, own.concurrency.reserved] as const)
    .filter(([, count]) => count > 0);
  return { limit, reserved: new Map(limit === null ? [] : reserved), queueMax: limits.queue.length };
}

export function shareOf(kind: LeaseKind, { limits }: ClientConfig): LeaseShare {
  const { max, perSubject, weight } = limits.concurrency;
  const times = kind === 'tts_socket' ? SOCKETS_PER_GENERATION : 1;
  return {
    clientMax: max === null ? null : max * times,
    subjectMax: perSubject === null ? null : perSubject * times,
    weight,
    isLimited: max !== null || perSubject !== null,
  };
}
