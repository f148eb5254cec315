// The connection that is subscribed to messages from other replicas. Nothing else is sent on it, so it is pinged to see whether it lives.
import type { Redis } from 'ioredis';
import type { RedisTrouble } from './redis-trouble.ts';

export interface RedisHearingOptions {
  readonly trouble: RedisTrouble;
  /** Whether the connection for commands works: if both are down, only that one is reported. */
  readonly isServing: () => boolean;
  /** Called after each subscription: messages before it were missed. */
  readonly onHearing: () => void;
}

export interface RedisHearing {
  /** Receives the messages of a channel from now on, across reconnections. */
  subscribe(channel: string, onMessage: (message: string) => void): void;
  close(): void;
}

/** How often the connection is checked: the network may have dropped it, or a subscription may have failed. */
const LOOK_MS = 2_000;
/** Checks in a row that find no subscription before it is reported: reconnecting takes less. */
const DEAF_LOOKS = 2;

export function createRedisHearing(redis: Redis, options: RedisHearingOptions): RedisHearing {
  const { trouble, isServing, onHearing } = options;
  const channels = new Map<string, (message: string) => void>();
  let isHearing = false;
  let isRefused = false;
  let deafLooks = 0;

  function hear(): void {
    if (channels.size === 0) return;
    redis.subscribe(...channels.keys()).then(() => {
      isHearing = true;
      isRefused = false;
      deafLooks = 0;
      for (const reason of ['SUBSCRIBE_REFUSED', 'HEARING_LOST']) trouble.noLonger(reason);
      onHearing();
    }, cannotHear);
  }
  /** On any other error Redis is busy or the connection is gone again: the next check, or the next connection, subscribes. */
  function cannotHear(error: unknown): void {
    if (!(error instanceof Error) || !error.message.startsWith('NOPERM')) return;
    isHearing = false;
    isRefused = true;
    trouble.beside('SUBSCRIBE_REFUSED');
  }
  function look(): void {
    if (redis.status === 'ready') {
      if (isHearing)
        redis.ping().catch(() => {}); // without an answer the connection is given up
      else hear();
    }
    if (channels.size === 0 || isHearing || isRefused || !isServing()) deafLooks = 0;
    else deafLooks += 1;
    if (deafLooks === DEAF_LOOKS) trouble.beside('HEARING_LOST');
  }

  redis.on('ready', hear);
  redis.on('close', () => {
    isHearing = false;
  });
  redis.on('message', (channel: string, message: string) => channels.get(channel)?.(message));
  const looks = setInterval(look, LOOK_MS).unref();
  return {
    subscribe(channel, onMessage) {
      channels.set(channel, onMessage);
      if (redis.status === 'ready') redis.subscribe(channel).catch(cannotHear);
    },
    close: () => clearInterval(looks),
  };
}
