// Makes one request for an access token.
import { type MintedToken, readAccessToken } from './access-token.ts';
import { BrokerError } from './broker-error.ts';
import { elapsed, type Moment, now } from './device-clock.ts';

export interface MintRequest {
  /** Without a trailing slash. */
  readonly brokerUrl: string;
  /** `undefined`: none is sent. */
  readonly credential: string | undefined;
  /** JSON text. */
  readonly body: string;
  readonly fetch: typeof fetch;
  readonly deadlineMs: number;
}

export interface DatedToken extends MintedToken {
  /** Just before the request was sent. */
  readonly since: Moment;
}

/** @throws BrokerError */
export async function mint({ brokerUrl, credential, body, fetch, deadlineMs }: MintRequest): Promise<DatedToken> {
  // React Native has no AbortSignal.timeout.
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), Math.min(deadlineMs, TIMER_MAX_MS));
  try {
    const since = now();
    const response = await fetch(`${brokerUrl}/access-token`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
      },
      body,
      signal: controller.signal,
    });
    const answer = parsed(await response.text());
    if (!response.ok) throw refusal(response, answer);
    const minted = readAccessToken(answer, since.wall);
    if (minted === null) throw new BrokerError('What answers there is no broker.', { ...SILENCE, ...status(response) });
    // A device that goes to sleep during the request gets the response when it wakes up.
    if (elapsed(since, now()) >= minted.lifeMs) {
      const failure = { ...SILENCE, ...status(response), isRetryable: true };
      throw new BrokerError('The token had expired when it arrived.', failure);
    }
    return { ...minted, since };
  } catch (error) {
    if (error instanceof BrokerError) throw error;
    const what = controller.signal.aborted ? `did not answer within ${deadlineMs} ms` : 'was not reached';
    throw new BrokerError(`The broker ${what}.`, { ...SILENCE, isRetryable: true }, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** A timer for longer than this fires at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

const SILENCE = { status: 0, code: null, requestId: null, isRetryable: false, retryAfterSeconds: null } as const;

const status = (response: Response) => ({ status: response.status });

function refusal(response: Response, answer: unknown): BrokerError {
  const said = (typeof answer === 'object' && answer !== null ? answer : {}) as Readonly<Record<string, unknown>>; // every field is checked
  const text = (name: string): string | null => (typeof said[name] === 'string' ? said[name] : null);
  const { headers, status } = response;
  return new BrokerError(text('message') ?? `The broker answered ${status}.`, {
    status,
    code: text('error_code'),
    requestId: text('request_id') ?? headers.get('x-request-id'),
    isRetryable: shouldRetry(headers.get('x-should-retry'), status),
    retryAfterSeconds: seconds(headers.get('retry-after')),
  });
}

/** A proxy in front of the broker does not send `x-should-retry`; its responses follow the rule of Cartesia's SDKs. */
function shouldRetry(said: string | null, status: number): boolean {
  if (said === 'true' || said === 'false') return said === 'true';
  return status === 408 || status === 429 || status >= 500;
}

/** A date is ignored: by this device's clock it could mean anything. */
function seconds(retryAfter: string | null): number | null {
  return retryAfter !== null && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
