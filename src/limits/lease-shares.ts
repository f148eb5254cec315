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
  // A client app without the grant would never use a reserve, and does not compete for the queue.
  const takers = clients.filter(({ grants }) => grants.includes(kind === 'tts_socket' ? 'tts' : kind));
  const queue = { queueMax: limits.queue.length, isShared: takers.length > 1 };
  if (kind === 'tts_socket') {
    // An open socket generates nothing yet, so no reserve is kept.
    const limit = concurrency.tts === null ? null : concurrency.tts * SOCKETS_PER_GENERATION;
    return { limit, reserved: new Map(), ...queue };
  }
  const limit = concurrency[kind];
  const reserved = takers
    .map(({ name, limits: own }) => [name, own.concurrency.reserved] as const)
    .filter(([, count]) => count > 0);
  return { limit, reserved: new Map(limit === null ? [] : reserved), ...queue };
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
