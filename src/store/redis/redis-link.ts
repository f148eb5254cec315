// Calls to Redis: each ends within its timeout, and Redis is left alone while it is not usable.
import { Problem } from '../../errors/problems.ts';
import type { StoreCall, StoreObserver } from '../store-call.ts';
import type { StoreConditionObserver } from '../store-condition.ts';
import { Unanswered } from '../unanswered.ts';
import { connectRedis, createRedisClient, type RedisAddress } from './redis-client.ts';
import { createRedisHearing } from './redis-hearing.ts';
import { NotUnderstood, type RedisScript } from './redis-script.ts';
import { createRedisTrouble, isAnswer, isElsewhere, isForbidden, isWriteRefused, reasonOf } from './redis-trouble.ts';

/** Plain commands that a full Redis refuses. */
const WRITING: ReadonlySet<string> = new Set(['SET', 'XADD']);

export interface RedisLinkOptions extends RedisAddress {
  /** Most time for one command; one that takes longer counts as failed, although Redis may still carry it out. */
  readonly commandTimeoutMs?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** Told of every call. */
  readonly onCall?: StoreObserver;
  /** Told when Redis is usable (again), and why it is not. */
  readonly onCondition?: StoreConditionObserver;
}

export interface RedisLink {
  readonly state: 'starting' | 'up' | 'away';
  readonly reached: Promise<void>;
  /**
   * One script, one round trip.
   * @param call what is asked, for the metrics
   * @param note a plain command that is sent first if Redis does not know the script: scripts survive neither its restart nor a failover to a
   *   replica. A Redis that refuses it does not get to know the script, which it would even if it refuses what the script writes.
   * @throws Problem `store_unavailable`, at the latest after the command timeout
   */
  run<Answer>(
    call: string,
    script: RedisScript<Answer>,
    keys: readonly string[],
    args: readonly string[],
    note?: readonly [name: string, ...args: string[]],
  ): Promise<Answer>;
  /** The same for a plain command. */
  command(call: string, name: string, ...args: readonly string[]): Promise<unknown>;
  /** Receives the messages of a channel from now on, across reconnections. */
  subscribe(channel: string, onMessage: (message: string) => void): void;
  /** Called each time Redis is usable (again), and each time the connection for messages has subscribed (again). */
  onReady(tell: () => void): void;
  close(): Promise<void>;
}

const COMMAND_TIMEOUT_MS = 100;
/**
 * Failures in a row after which Redis is left alone until it answers a PING: callers then fail at once rather than after the timeout.
 * Commands that were under way together and failed together count as one failure.
 */
const FAILURES_TO_LEAVE = 3;
const LOOK_MS = 250;
/** Timeout of a connection's first PING: nobody waits for it, and a process that has just started is busy. */
const FIRST_LOOK_MS = 1_000;
/** Least time between deliberate reconnections, made because the address may lead to another Redis now. */
const MOVE_MS = 1_000;

export async function createRedisLink(options: RedisLinkOptions): Promise<RedisLink> {
  const { commandTimeoutMs = COMMAND_TIMEOUT_MS, now = () => performance.now() } = options;
  const { onCall = () => {}, onCondition = () => {} } = options;
  const commands = await createRedisClient(options);
  const heard = await createRedisClient(options);
  let isClosing = false;
  // Closing a connection may look like trouble.
  const trouble = createRedisTrouble((condition) => {
    if (!isClosing) onCondition(condition);
  }, now);
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
  let movedMs = Number.NEGATIVE_INFINITY;
  let isMoving = false;
  const hearing = createRedisHearing(heard, { trouble, isServing: () => isServing, onHearing: tellAll });

  // Both connections fail for the same cause: only one is reported.
  commands.on('error', (error) => trouble.because(reasonOf(error)));
  commands.on('ready', () => {
    connection += 1;
    void look(connection, FIRST_LOOK_MS);
  });
  commands.on('close', () => {
    clearTimeout(nextLook);
    isServing = false;
    failures = 0;
    if (!isMoving) trouble.because('CLOSED');
    isMoving = false;
  });
  for (const redis of [commands, heard]) connectRedis(redis);

  /** Sends PING until Redis is usable: it may be loading, busy, or not Redis at all. */
  async function look(at: number, patienceMs = commandTimeoutMs): Promise<void> {
    try {
      const answer = await within(patienceMs, commands.ping());
      if (answer !== 'PONG') throw new NotUnderstood('no answer to PING');
    } catch (error) {
      if (!isAnswered(error)) {
        if (commands.status !== 'ready' || at !== connection) return; // the next connection has a check of its own
        trouble.because(reasonOf(error));
        if (isElsewhere(error)) move();
        nextLook = setTimeout(() => void look(at), LOOK_MS).unref();
        return;
      }
    }
    serve();
  }

  /** Redis is usable. */
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

  /** Reconnects. After a failover the former primary keeps connections open, and nothing else leads to the new one. */
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

  /** @param work must change nothing more once `isGivenUp`: what its caller does about the failure has to come last */
  async function guarded<T>(
    call: string,
    hasWritten: (result: T) => boolean,
    work: (isGivenUp: () => boolean) => Promise<T>,
  ): Promise<T> {
    const startedMs = now();
    const end = (outcome: StoreCall['outcome']): void => onCall({ call, outcome, durationMs: now() - startedMs });
    if (!isServing || commands.status !== 'ready') {
      const isLeftAlone = failures >= FAILURES_TO_LEAVE;
      end(isLeftAlone ? 'left_alone' : 'not_connected');
      throw unavailable(new Error(isLeftAlone ? 'left alone after failures' : 'not connected'));
    }
    let isGivenUp = false;
    try {
      const result = await within(
        commandTimeoutMs,
        work(() => isGivenUp),
      );
      serve();
      if (hasWritten(result)) trouble.takes();
      end('ok');
      return result;
    } catch (error) {
      isGivenUp = true;
      const endedMs = now();
      failed(error, startedMs, endedMs);
      // Timers count whole milliseconds and may fire a fraction early.
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
    run: (call, script, keys, args, note) =>
      guarded(call, script.hasWritten, async (isGivenUp) => {
        try {
          return script.read(await commands.evalsha(script.sha, keys.length, ...keys, ...args));
        } catch (error) {
          if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
          if (note !== undefined) await commands.call(...note);
          if (isGivenUp()) {
            await commands.call('SCRIPT', 'LOAD', script.lua); // over a slow network the next call would come no further
            throw error;
          }
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

/** A prompt and complete refusal: other commands may still succeed. */
function isAnswered(error: unknown): boolean {
  return isWriteRefused(error) || isForbidden(error);
}

/** A reply that has arrived but was not read yet is in time: timers run before sockets are read, and a busy process is not Redis' fault. */
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

/** For a reply that none of our commands gives. The command may have been carried out. */
export function notUnderstood(): Problem {
  return unavailable(new Unanswered('not understood'));
}

const RETRY_SECONDS = 1;

function unavailable(cause: unknown): Problem {
  return new Problem('store_unavailable', undefined, { cause, retryAfterSeconds: RETRY_SECONDS });
}
