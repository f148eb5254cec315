// An access token that is good whenever the app needs one.
import type { AccessToken, MintedToken } from './access-token.ts';
import { BrokerError } from './broker-error.ts';
import { elapsed, type Moment, now } from './device-clock.ts';
import { mint } from './mint.ts';

export interface TokenSourceOptions {
  /** Where the broker is: `https://voice.example.com`. */
  readonly brokerUrl: string;
  /**
   * What the app's user already has, such as a session token. A function is asked before each mint, so it can give a renewed one.
   * Left out: nothing is sent, for brokers that take anybody.
   */
  readonly credential?: string | (() => string | Promise<string>) | undefined;
  /** Left out: what the broker's policy gives. */
  readonly grants?:
    | { readonly tts?: boolean | undefined; readonly stt?: boolean | undefined; readonly agent?: boolean | undefined }
    | undefined;
  /** Seconds, 1 to 3600; the policy may allow less. Left out: what the policy says. */
  readonly expiresIn?: number | undefined;
  /** Tries after the first one, where another can help. Default 2. */
  readonly maxRetries?: number | undefined;
  /** Milliseconds for each try. Default 10,000. */
  readonly timeout?: number | undefined;
  /** In the place of the global one. */
  readonly fetch?: typeof fetch | undefined;
}

export interface TokenSource {
  /**
   * The token that is there, or a new one. Who asks while one is on its way gets the same. From four fifths of its life on the next one is
   * fetched beside, so nobody waits for it.
   * @param options `signal`: stop waiting; what is on its way still arrives, for whoever asks next
   * @throws BrokerError where there is no good token left and the broker gives none; the signal's reason; whatever `credential` throws
   */
  get(options?: { readonly signal?: AbortSignal | undefined }): Promise<AccessToken>;
  /**
   * Forget the token: another user has signed in, or the token was refused (401, 403).
   * @param token only where it is this one: of several requests that were refused together, one is enough
   */
  drop(token?: string): void;
}

/** A token is not handed out in the last tenth of its life, ten seconds at most: the request that it is for takes its time too. */
const MARGIN = 0.1;
const MARGIN_MAX_MS = 10_000;

/** Nobody is kept waiting for longer between two tries; the error says when to come back. */
const PAUSE_MAX_MS = 10_000;

/** After a failure, while the token is still good: who asks often must not ask the broker as often. */
const REST_MS = 5_000;

interface Kept extends MintedToken {
  readonly since: Moment;
}

export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { maxRetries = 2, timeout = 10_000 } = options;
  const body = JSON.stringify({ grants: options.grants, expires_in: options.expiresIn });
  const brokerUrl = options.brokerUrl.replace(/\/+$/, '');
  let kept: Kept | null = null;
  let coming: Promise<AccessToken> | null = null;
  let failed: { readonly error: unknown; readonly since: Moment } | null = null;

  async function attempt(): Promise<Kept> {
    const { credential } = options;
    const shown = typeof credential === 'function' ? await credential() : credential;
    const since = now();
    const send: typeof fetch = options.fetch ?? ((...request) => fetch(...request)); // looked up late: it may be put there later
    return { ...(await mint({ brokerUrl, credential: shown, body, fetch: send, deadlineMs: timeout })), since };
  }

  async function mintPatiently(): Promise<Kept> {
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
        // Where it fails there is time for another try, by whoever asks next.
        if (age >= kept.refreshMs && sinceFailure >= Math.max(REST_MS, saidPauseMs(failed?.error)))
          next().catch(() => {});
        return kept.access;
      }
      if (sinceFailure < saidPauseMs(failed?.error)) throw failed?.error;
      return signal === undefined ? next() : unlessAborted(next(), signal);
    },
    drop(token) {
      if (token === undefined || token === kept?.access.token) [kept, coming, failed] = [null, null, null];
    },
  };
}

/** Milliseconds: as the broker says, or half a second, one, two, … with up to a quarter less, so that not all come back together. */
function pauseAfter({ retryAfterSeconds }: BrokerError, tries: number): number {
  if (retryAfterSeconds !== null) return retryAfterSeconds * 1000;
  return 500 * 2 ** tries * (1 - Math.random() / 4);
}

/** Milliseconds for which the broker does not want to be asked. */
function saidPauseMs(error: unknown): number {
  return error instanceof BrokerError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(reasonOf(signal));
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** React Native's signals have no reason. */
function reasonOf({ reason }: AbortSignal): unknown {
  return reason ?? Object.assign(new Error('The wait was aborted.'), { name: 'AbortError' });
}
