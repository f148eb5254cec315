// Gives the app a valid access token whenever it needs one.
import type { AccessToken } from './access-token.ts';
import { BrokerError } from './broker-error.ts';
import { elapsed, type Moment, now } from './device-clock.ts';
import { type DatedToken, mint } from './mint.ts';

export interface TokenSourceOptions {
  /** The broker's URL, such as `https://voice.example.com`. */
  readonly brokerUrl: string;
  /**
   * What the app's user already has, such as a session token. A function is called before each mint, so it can return a renewed one.
   * Left out: none is sent, for brokers that accept callers without one.
   */
  readonly credential?: string | (() => string | Promise<string>) | undefined;
  /** Left out: the broker's policy decides. */
  readonly grants?:
    | { readonly tts?: boolean | undefined; readonly stt?: boolean | undefined; readonly agent?: boolean | undefined }
    | undefined;
  /** Seconds, 1 to 3600; the policy may allow less. Left out: the policy decides. */
  readonly expiresIn?: number | undefined;
  /** Attempts after the first, for retryable failures. Default 2. */
  readonly maxRetries?: number | undefined;
  /** Milliseconds for each attempt. Default 10,000. */
  readonly timeout?: number | undefined;
  /** Replaces the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
}

export interface TokenSource {
  /**
   * Returns the current token, or a new one. Calls made while a mint is under way share it. After `refresh_in`, four fifths of a token's
   * life, the next one is fetched in the background, so nobody waits for it.
   * @param options `signal` stops the wait; the mint under way still completes, for the next caller
   * @throws BrokerError if there is no valid token left and the broker gives none; the signal's reason; whatever `credential` throws
   */
  get(options?: { readonly signal?: AbortSignal | undefined }): Promise<AccessToken>;
  /**
   * Forgets the token: another user has signed in, or the token was refused (401, 403).
   * @param token forget only this one, so that several requests refused together do not drop its successor
   */
  drop(token?: string): void;
}

/** A token is not handed out in the last tenth of its life, ten seconds at most: the request that uses it takes time too. */
const MARGIN = 0.1;
const MARGIN_MAX_MS = 10_000;

/** The longest pause between two attempts; if the broker asks for more, the call fails and its error says when to come back. */
const PAUSE_MAX_MS = 10_000;

/** Pause after a failed refresh while the token is still valid: frequent calls must not each reach the broker. */
const REST_MS = 5_000;

export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { maxRetries = 2, timeout = 10_000 } = options;
  const body = JSON.stringify({ grants: options.grants, expires_in: options.expiresIn });
  const brokerUrl = options.brokerUrl.replace(/\/+$/, '');
  let kept: DatedToken | null = null;
  let coming: Promise<AccessToken> | null = null;
  let failed: { readonly error: unknown; readonly since: Moment } | null = null;

  async function attempt(): Promise<DatedToken> {
    const { credential } = options;
    const shown = typeof credential === 'function' ? await credential() : credential;
    const send: typeof fetch = options.fetch ?? ((...request) => fetch(...request)); // looked up at each attempt: the global may be set later
    return mint({ brokerUrl, credential: shown, body, fetch: send, deadlineMs: timeout });
  }

  async function mintPatiently(): Promise<DatedToken> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof BrokerError) || !error.isRetryable) throw error;
        const pauseMs = pauseAfter(error, tries);
        if (tries >= maxRetries || pauseMs > PAUSE_MAX_MS) throw error;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  function next(): Promise<AccessToken> {
    if (coming !== null) return coming;
    const mine = mintPatiently().then(
      (minted) => {
        if (coming === mine) [kept, coming, failed] = [minted, null, null];
        return minted.access;
      },
      (error: unknown) => {
        if (coming === mine) [coming, failed] = [null, { error, since: now() }];
        throw error;
      },
    );
    coming = mine;
    return mine;
  }

  return {
    async get({ signal } = {}) {
      if (signal?.aborted === true) throw reasonOf(signal);
      const moment = now();
      const sinceFailure = failed === null ? Infinity : elapsed(failed.since, moment);
      const age = kept === null ? Infinity : elapsed(kept.since, moment);
      if (kept !== null && age < kept.lifeMs - Math.min(MARGIN_MAX_MS, kept.lifeMs * MARGIN)) {
        // If this fails, a later call still has time to try again.
        if (age >= kept.refreshMs && sinceFailure >= Math.max(REST_MS, saidPauseMs(failed?.error)))
          next().catch(() => {});
        return kept.access;
      }
      if (sinceFailure < saidPauseMs(failed?.error)) throw failed?.error;
      return signal === undefined ? next() : unlessAborted(next(), signal);
    },
    drop(token) {
      if (token === undefined) [kept, coming, failed] = [null, null, null];
      else if (token === kept?.access.token) kept = null; // the user is the same: a refresh under way and a wait still hold
    },
  };
}

/** Milliseconds: what the broker says, or 0.5, 1, 2, … 8 seconds less up to a quarter, so that clients do not all come back together. */
function pauseAfter({ retryAfterSeconds }: BrokerError, tries: number): number {
  if (retryAfterSeconds !== null) return retryAfterSeconds * 1000;
  return 500 * 2 ** Math.min(tries, 4) * (1 - Math.random() / 4);
}

/** Milliseconds that the broker told callers to wait. */
function saidPauseMs(error: unknown): number {
  return error instanceof BrokerError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(reasonOf(signal));
    if (signal.aborted) abort(); // by the app's `credential`, which has just been called
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** React Native's signals have no reason. */
function reasonOf({ reason }: AbortSignal): unknown {
  return reason ?? Object.assign(new Error('The wait was aborted.'), { name: 'AbortError' });
}
