// The connection to Redis: fails fast, never queues, reconnects by itself. A second connection hears what is published for us.
import { createHash } from 'node:crypto';
import type { Redis, RedisOptions } from 'ioredis';
import type { CurrentSecret } from '../../config/secret.ts';
import { Problem } from '../../errors/problems.ts';
import type { StoreCall, StoreObserver } from '../store-call.ts';
import type { StoreConditionObserver } from '../store-condition.ts';
import { Unanswered } from '../unanswered.ts';
import { createRedisTrouble, isSelectRefused, isWriteRefused, reasonOf } from './redis-trouble.ts';

/** A script with its name in Redis' cache. */
export interface RedisScript {
  readonly lua: string;
  readonly sha: string;
  /** A full Redis refuses it: that it went well says that Redis takes what is written. */
  readonly isWriting: boolean;
}

export function redisScript(lua: string, isWriting = true): RedisScript {
  return { lua, sha: createHash('sha1').update(lua).digest('hex'), isWriting };
}

/** Of the plain commands those that a full Redis refuses. */
const WRITING: ReadonlySet<string> = new Set(['SET', 'XADD']);

export interface RedisLinkOptions {
  /** Looked up each time a connection is made. */
  readonly url: CurrentSecret;
  /** Most time for one command; what takes longer counts as failed, although Redis may still do it. */
  readonly commandTimeoutMs?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** Told of every call. */
  readonly onCall?: StoreObserver;
  /** Told when Redis can be asked (again), and why it cannot. */
  readonly onCondition?: StoreConditionObserver;
}

export interface RedisLink {
  readonly state: 'starting' | 'up' | 'away';
  readonly reached: Promise<void>;
  /**
   * One script, one round trip.
   * @param call what is asked, for the metrics
   * @throws Problem `store_unavailable`, at the latest after the command timeout
   */
  run(call: string, script: RedisScript, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** The same for a plain command. */
  command(call: string, name: string, ...args: readonly string[]): Promise<unknown>;
  /** Hears a channel from now on, across reconnections. */
  subscribe(channel: string, onMessage: (message: string) => void): void;
  /** Told each time the connection, or the one that hears, is there (again). */
  onReady(tell: () => void): void;
  close(): Promise<void>;
}

const COMMAND_TIMEOUT_MS = 100;
const CONNECT_TIMEOUT_MS = 1_000;
/** A store that is back is found within this. */
const RECONNECT_MAX_MS = 500;
/**
 * Failures in a row after which Redis is left alone for a moment: callers then learn at once what they would learn after the timeout.
 * One after the other: what was on its way together and failed together is one hitch.
 */
const FAILURES_TO_OPEN = 3;
const OPEN_MS = 250;
/** A connection on which nothing comes back for this long is given up: a new one may fare better. */
const SILENT_MS = 2_000;

/** How often the connection that hears is asked whether it lives: nothing else is sent on it, and a network may have forgotten it. */
const HEARING_MS = 2_000;
/** Most often that a Redis which only copies another one is left for what its address leads to now. */
const MOVE_MS = 1_000;

/** What a URL says of a connection; the client reads these of its options each time it connects. */
const WHERE_AND_WHO = ['host', 'port', 'path', 'family', 'username', 'password', 'db', 'tls'] as const;

/** Loads the client first: it is 200 files that a broker without Redis never reads. */
export async function createRedisLink(options: RedisLinkOptions): Promise<RedisLink> {
  const { Redis } = await import('ioredis');
  const { commandTimeoutMs = COMMAND_TIMEOUT_MS, now = () => performance.now(), onCall = () => {} } = options;
  const common = {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false, // a lease that was given up must not be taken later
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (attempt: number) => Math.min(RECONNECT_MAX_MS, attempt * 50),
    disableClientInfo: true,
    lazyConnect: true,
    socketTimeout: SILENT_MS,
  } satisfies RedisOptions;
  const commands = new Redis(options.url.current.reveal(), common);
  const hearing = new Redis(options.url.current.reveal(), { ...common, autoResubscribe: false });
  const channels = new Map<string, (message: string) => void>();
  const listeners: (() => void)[] = [];
  let wasUp = false;
  let failures = 0;
  let failedMs = 0;
  let openUntil = 0;
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();

  const trouble = createRedisTrouble(options.onCondition ?? (() => {}));
  let isClosing = false;
  let movedMs = Number.NEGATIVE_INFINITY;
  let isMoving = false;

  // Both report every failed attempt, and both for one cause: one of them is told. An error without a listener would end the process.
  for (const redis of [commands, hearing])
    redis.on('error', (error) => {
      if (redis === commands) trouble.because(reasonOf(error));
      if (error instanceof Error && isSelectRefused(error)) redis.disconnect(true);
    });
  commands.on('close', () => {
    if (!isClosing && !isMoving) trouble.because('CLOSED');
    isMoving = false;
  });
  for (const redis of [commands, hearing])
    redis.on('reconnecting', () => {
      const { options: now } = new Redis(options.url.current.reveal(), { lazyConnect: true });
      for (const name of WHERE_AND_WHO) Object.assign(redis.options, { [name]: now[name] });
    });
  commands.on('ready', () => {
    wasUp = true;
    failures = 0;
    openUntil = 0;
    trouble.over();
    reach();
    for (const tell of listeners) tell();
  });
  hearing.on('ready', () => {
    if (channels.size === 0) return;
    hearing.subscribe(...channels.keys()).then(() => {
      for (const tell of listeners) tell(); // what was said in between was not heard
    }, cannotHear);
  });
  hearing.on('message', (channel: string, message: string) => channels.get(channel)?.(message));
  connect(commands);
  connect(hearing);
  const alive = setInterval(() => {
    if (hearing.status === 'ready') hearing.ping().catch(() => {}); // without an answer the connection is given up
  }, HEARING_MS).unref();

  /** Refused, or the connection is gone again: then the next one subscribes. */
  function cannotHear(error: unknown): void {
    if (error instanceof Error && error.name === 'ReplyError') trouble.beside('SUBSCRIBE_REFUSED');
  }

  /** After a failover, what was the primary says this on connections that stay open: nothing else leads to the new one. */
  function move(): void {
    if (now() - movedMs < MOVE_MS) return;
    movedMs = now();
    isMoving = true;
    for (const redis of [commands, hearing]) redis.disconnect(true);
  }

  /** It answers, and goes on to be asked: what writes nothing is served. */
  function refuses(error: Error): void {
    trouble.refuses(reasonOf(error));
    if (error.message.startsWith('READONLY')) move();
  }

  async function guarded<T>(call: string, isWriting: boolean, work: () => Promise<T>): Promise<T> {
    const startedMs = now();
    const end = (outcome: StoreCall['outcome']): void => onCall({ call, outcome, durationMs: now() - startedMs });
    if (commands.status !== 'ready') {
      end('not_connected');
      throw unavailable(new Error('not connected'));
    }
    if (startedMs < openUntil) {
      end('left_alone');
      throw unavailable(new Error('left alone after failures'));
    }
    try {
      const result = await within(commandTimeoutMs, work());
      failures = 0;
      if (commands.status === 'ready') trouble.over();
      if (isWriting) trouble.takes();
      end('ok');
      return result;
    } catch (error) {
      const endedMs = now();
      if (error instanceof Error && isWriteRefused(error)) {
        refuses(error);
        end('failed');
        throw unavailable(error);
      }
      if (failures === 0 || startedMs >= failedMs) {
        failures += 1;
        failedMs = endedMs;
      }
      const isAnswer = error instanceof Error && error.name === 'ReplyError';
      if (failures >= FAILURES_TO_OPEN) {
        openUntil = endedMs + OPEN_MS;
        trouble.because(isAnswer ? reasonOf(error) : 'UNANSWERED');
      }
      // Timers count whole milliseconds: one may come a fraction early.
      end(endedMs - startedMs > commandTimeoutMs - 1 ? 'timeout' : 'failed');
      throw unavailable(isAnswer ? error : new Unanswered('sent, and not answered', { cause: error }));
    }
  }

  return {
    get state() {
      if (commands.status === 'ready' && now() >= openUntil) return 'up';
      return wasUp ? 'away' : 'starting';
    },
    reached,
    run: (call, script, keys, args) =>
      guarded(call, script.isWriting, () =>
        commands.evalsha(script.sha, keys.length, ...keys, ...args).catch((error: Error) => {
          if (!error.message.startsWith('NOSCRIPT')) throw error;
          return commands.eval(script.lua, keys.length, ...keys, ...args);
        }),
      ),
    command: (call, name, ...args) => guarded(call, WRITING.has(name), () => commands.call(name, ...args)),
    subscribe(channel, onMessage) {
      channels.set(channel, onMessage);
      if (hearing.status === 'ready') hearing.subscribe(channel).catch(cannotHear);
    },
    onReady(tell) {
      listeners.push(tell);
    },
    async close() {
      isClosing = true;
      clearInterval(alive);
      commands.disconnect();
      hearing.disconnect();
    },
  };
}

/** The first attempt fails where Redis is not up yet; the client goes on trying. */
function connect(redis: Redis): void {
  redis.connect().catch(() => {});
}

/** An answer that has come and was not read yet is in time: timers run before what was received, and a busy process must not blame Redis. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => setImmediate(reject, new Error('not answered in time')), ms);
  work.then(resolve, reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** An answer that no script of ours gives. What was asked for may have been done. */
export function notUnderstood(): Problem {
  return unavailable(new Unanswered('not understood'));
}

const RETRY_SECONDS = 1;

function unavailable(cause: unknown): Problem {
  return new Problem('store_unavailable', undefined, { cause, retryAfterSeconds: RETRY_SECONDS });
}
