// The way to Redis: every call is answered within its time, and Redis is left alone while it cannot be asked.
import { Problem } from '../../errors/problems.ts';
import type { StoreCall, StoreObserver } from '../store-call.ts';
import type { StoreConditionObserver } from '../store-condition.ts';
import { Unanswered } from '../unanswered.ts';
import { connectRedis, createRedisClient, type RedisAddress } from './redis-client.ts';
import { createRedisHearing } from './redis-hearing.ts';
import { NotUnderstood, type RedisScript } from './redis-script.ts';
import { createRedisTrouble, isAnswer, isElsewhere, isForbidden, isWriteRefused, reasonOf } from './redis-trouble.ts';

/** Of the plain commands those that a full Redis refuses. */
const WRITING: ReadonlySet<string> = new Set(['SET', 'XADD']);

export interface RedisLinkOptions extends RedisAddress {
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
  run<Answer>(
    call: string,
    script: RedisScript<Answer>,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<Answer>;
  /** The same for a plain command. */
  command(call: string, name: string, ...args: readonly string[]): Promise<unknown>;
  /** Hears a channel from now on, across reconnections. */
  subscribe(channel: string, onMessage: (message: string) => void): void;
  /** Told each time Redis can be asked (again), and each time the connection that hears is there (again). */
  onReady(tell: () => void): void;
  close(): Promise<void>;
}

const COMMAND_TIMEOUT_MS = 100;
/**
 * Failures in a row after which Redis is left alone until it answers a question of no consequence: callers then learn at once what they would
 * learn after the timeout. One after the other: what was on its way together and failed together is one hitch.
 */
const FAILURES_TO_LEAVE = 3;
const LOOK_MS = 250;
/** Nobody waits for the first look of a connection, and a process that has just begun is busy. */
const FIRST_LOOK_MS = 1_000;
/** Most often that a Redis which only copies another one is left for what its address leads to now. */
const MOVE_MS = 1_000;

export async function createRedisLink(options: RedisLinkOptions): Promise<RedisLink> {
  const { commandTimeoutMs = COMMAND_TIMEOUT_MS, now = () => performance.now(), onCall = () => {} } = options;
  const commands = await createRedisClient(options);
  const heard = await createRedisClient(options);
  const trouble = createRedisTrouble(options.onCondition ?? (() => {}), now);
  const listeners: (() => void)[] = [];
  const tellAll = (): void => {
    for (const tell of listeners) tell();
  };
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  let isServing = false;
  let wasUp = false;
  let failures = 0;
  let failedMs = 0;
  let connection = 0;
  let nextLook: NodeJS.Timeout | undefined;
  let isClosing = false;
  let movedMs = Number.NEGATIVE_INFINITY;
  let isMoving = false;
  const hearing = createRedisHearing(heard, { trouble, isServing: () => isServing, onHearing: tellAll });

  // Both connections fail for one cause: one of them is told.
  commands.on('error', (error) => trouble.because(reasonOf(error)));
  commands.on('ready', () => {
    connection += 1;
    void look(connection, FIRST_LOOK_MS);
  });
  commands.on('close', () => {
    clearTimeout(nextLook);
    isServing = false;
    failures = 0;
    if (!isClosing && !isMoving) trouble.because('CLOSED');
    isMoving = false;
  });
  for (const redis of [commands, heard]) connectRedis(redis);

  /** Asks whether it can be asked: it may be loading, busy, or something else than Redis. Again and again until it can. */
  async function look(at: number, patienceMs = commandTimeoutMs): Promise<void> {
    try {
      const answer = await within(patienceMs, commands.ping());
      if (answer !== 'PONG') throw new NotUnderstood('no answer to PING');
    } catch (error) {
      if (!isAnswered(error)) {
        if (commands.status !== 'ready' || at !== connection) return; // the next one has a look of its own
        trouble.because(reasonOf(error));
        if (isElsewhere(error)) move();
        nextLook = setTimeout(() => void look(at), LOOK_MS).unref();
        return;
      }
    }
    serve();
  }

  /** It can be asked. */
  function serve(): void {
    failures = 0;
    if (commands.status !== 'ready') return;
    trouble.over();
    if (isServing) return;
    isServing = true;
    wasUp = true;
    reach();
    tellAll();
  }

  /** After a failover, what was the primary says this on connections that stay open: nothing else leads to the new one. */
  function move(): void {
    if (now() - movedMs < MOVE_MS) return;
    movedMs = now();
    isMoving = true;
    for (const redis of [commands, heard]) redis.disconnect(true);
  }

  function failed(error: unknown, startedMs: number, endedMs: number): void {
    if (isAnswered(error)) {
      serve();
      if (isWriteRefused(error)) trouble.refuses(reasonOf(error));
      else trouble.beside(reasonOf(error));
    } else if (failures === 0 || startedMs >= failedMs) {
      failures += 1;
      failedMs = endedMs;
    }
    if (isElsewhere(error)) move();
    if (failures < FAILURES_TO_LEAVE || !isServing) return;
    isServing = false;
    trouble.because(isAnswer(error) || error instanceof NotUnderstood ? reasonOf(error) : 'UNANSWERED');
    nextLook = setTimeout(() => void look(connection), LOOK_MS).unref();
  }

  async function guarded<T>(call: string, hasWritten: (result: T) => boolean, work: () => Promise<T>): Promise<T> {
    const startedMs = now();
    const end = (outcome: StoreCall['outcome']): void => onCall({ call, outcome, durationMs: now() - startedMs });
    if (!isServing || commands.status !== 'ready') {
      const isLeftAlone = failures >= FAILURES_TO_LEAVE;
      end(isLeftAlone ? 'left_alone' : 'not_connected');
      throw unavailable(new Error(isLeftAlone ? 'left alone after failures' : 'not connected'));
    }
    try {
      const result = await within(commandTimeoutMs, work());
      serve();
      if (hasWritten(result)) trouble.takes();
      end('ok');
      return result;
    } catch (error) {
      const endedMs = now();
      failed(error, startedMs, endedMs);
      // Timers count whole milliseconds: one may come a fraction early.
      end(endedMs - startedMs > commandTimeoutMs - 1 ? 'timeout' : 'failed');
      throw unavailable(isAnswer(error) ? error : new Unanswered('sent, and not answered', { cause: error }));
    }
  }

  return {
    get state() {
      if (isServing && commands.status === 'ready') return 'up';
      return wasUp ? 'away' : 'starting';
    },
    reached,
    run: (call, script, keys, args) =>
      guarded(call, script.hasWritten, async () => {
        try {
          return script.read(await commands.evalsha(script.sha, keys.length, ...keys, ...args));
        } catch (error) {
          if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
          return script.read(await commands.eval(script.lua, keys.length, ...keys, ...args));
        }
      }),
    command: (call, name, ...args) =>
      guarded(
        call,
        () => WRITING.has(name),
        () => commands.call(name, ...args),
      ),
    subscribe: hearing.subscribe,
    onReady(tell) {
      listeners.push(tell);
    },
    async close() {
      isClosing = true;
      clearTimeout(nextLook);
      hearing.close();
      commands.disconnect();
      heard.disconnect();
    },
  };
}

/** A whole answer, and a quick one, that says no: what else it is asked for may be served. */
function isAnswered(error: unknown): boolean {
  return isWriteRefused(error) || isForbidden(error);
}

/** An answer that has come and was not read yet is in time: timers run before what was received, and a busy process must not blame Redis. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => setImmediate(reject, new Unanswered('not answered in time')), ms);
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
