// Fetches a JSON document from an issuer, bounded in size and time.
import type { Agent } from 'undici';

/** Why a document could not be fetched; `reason` contains nothing of what was received. */
export class FetchFailure extends Error {
  readonly reason: string;

  constructor(reason: string, cause?: unknown) {
    super(reason, { cause });
    this.name = 'FetchFailure';
    this.reason = reason;
  }
}

export interface JsonFetcher {
  /** @throws FetchFailure */
  get(url: string, signal: AbortSignal): Promise<unknown>;
  close(): Promise<void>;
}

export interface JsonFetcherOptions {
  /** PEM of the certificate authorities to trust in place of Node's; if absent, Node's own (NODE_EXTRA_CA_CERTS counts). */
  readonly ca?: string;
  readonly maxBytes?: number;
}

/**
 * Only a 200 is accepted: redirects are not followed, and certificates are always verified, even with
 * NODE_TLS_REJECT_UNAUTHORIZED=0. Each document gets its own connection, as minutes pass between them.
 * undici is loaded with the first request, so that startup does not pay for it.
 */
export function createJsonFetcher({ ca, maxBytes = 256 * 1_024 }: JsonFetcherOptions = {}): JsonFetcher {
  let agent: Agent | undefined;

  async function load(url: string, signal: AbortSignal): Promise<unknown> {
    const { Agent, request } = await import('undici');
    agent ??= new Agent({
      allowH2: false,
      maxHeaderSize: 16_384,
      connect: { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) },
    });
    const headers = { accept: 'application/json', 'user-agent': 'cartesia-broker' };
    try {
      const { statusCode, body } = await request(url, { dispatcher: agent, headers, signal, reset: true });
      if (statusCode !== 200) {
        body.on('error', () => {}).destroy();
        throw new FetchFailure(`status_${statusCode}`);
      }
      return parse(await readAtMost(body, maxBytes));
    } catch (error) {
      throw asFailure(error, signal);
    }
  }

  return {
    get: (url, signal) => unlessAborted(load(url, signal), signal),
    async close() {
      await agent?.destroy();
    },
  };
}

/** While a connection is being made, undici itself takes note of the signal only once that has succeeded or failed: after ten seconds. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(asFailure(signal.reason, signal));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** HTTPS, or HTTP to this machine: keys that crossed a network unencrypted prove nothing. */
export function isSafeKeySource(url: string): boolean {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'https:') return true;
  return parsed?.protocol === 'http:' && /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(parsed.hostname);
}

async function readAtMost(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new FetchFailure('too_large'); // leaving the loop destroys the connection
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    // The error of JSON.parse quotes what it read, so it is not kept.
    throw new FetchFailure('not_json', error instanceof SyntaxError ? undefined : error);
  }
}

function asFailure(error: unknown, signal: AbortSignal): FetchFailure {
  if (error instanceof FetchFailure) return error;
  if (signal.aborted) return new FetchFailure('timeout');
  return new FetchFailure(nameOf(error).toLowerCase(), error);
}

/** Some errors have an empty `code`: their name then tells what is wrong. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
