// The simulator's fault rules: which requests and connections they match, and what happens to those.

import type { ProblemName } from './problems.ts';

/**
 * What happens to the ordinary response, or in its place. Byte counts are of the body as the client decodes it,
 * without chunk framing. A connection is closed after a fault that cut its bytes short, slowed them down or replaced them.
 */
export type FaultAction =
  /** The connection is reset: when it is accepted, or when the request has arrived. */
  | { readonly type: 'refuse'; readonly at?: 'accept' | 'request' }
  /** There is never a response; at `accept` not even a TLS handshake. */
  | { readonly type: 'hang'; readonly at?: 'accept' | 'request' }
  /** The ordinary response, later. */
  | { readonly type: 'delay'; readonly ms: number }
  /** The ordinary response, with its head or its body sent byte by byte. */
  | { readonly type: 'drip'; readonly part: 'headers' | 'body'; readonly intervalMs: number }
  /** RST after this many bytes of the body; 0 = right after the headers. */
  | { readonly type: 'reset'; readonly afterBodyBytes: number }
  /** FIN without a response, in the middle of the headers, or after this many bytes of the body. */
  | {
      readonly type: 'half_close';
      readonly at: 'before_headers' | 'inside_headers' | 'body';
      readonly afterBodyBytes?: number;
    }
  /** These bytes instead of a response (text is Latin-1), then a FIN unless `keepOpen`. */
  | { readonly type: 'garbage'; readonly bytes: string | Uint8Array; readonly keepOpen?: boolean }
  /** An event stream that ends after this many events; `partial`: plus a part of the next one. */
  | {
      readonly type: 'truncate_events';
      readonly afterEvents: number;
      readonly partial?: boolean;
      readonly end?: 'clean' | 'fin' | 'reset';
    }
  /** An event stream that reports an error after this many events. */
  | { readonly type: 'error_event'; readonly afterEvents: number; readonly problem: ProblemName }
  /** Another response. */
  | AnswerFault
  | { readonly type: 'redirect'; readonly location: string; readonly status?: number }
  /** The ordinary response with a header of this many bytes. */
  | { readonly type: 'big_header'; readonly bytes: number; readonly name?: string }
  /** WebSockets: the server closes after it has sent this many frames (default 0). */
  | { readonly type: 'close_socket'; readonly code: number; readonly reason?: string; readonly afterFrames?: number }
  /** WebSockets: RST after this many frames (default 0). */
  | { readonly type: 'reset_socket'; readonly afterFrames?: number }
  /** WebSockets: after this many frames (default 0) nothing more is sent or read, pings included. */
  | { readonly type: 'hang_socket'; readonly afterFrames?: number }
  /** WebSockets: these bytes after this many frames (default 0), as a message or, with `raw`, outside of any frame. */
  | {
      readonly type: 'garbage_socket';
      readonly as: 'text' | 'binary' | 'raw';
      /** Text is Latin-1 for `binary` and `raw`. */
      readonly bytes: string | Uint8Array;
      readonly afterFrames?: number;
    };

/** An error, or any other response with a status. Its form follows the API version unless `body` is given. */
export interface AnswerFault {
  readonly type: 'answer';
  readonly status: number;
  readonly code?: string | null;
  readonly title?: string;
  readonly message?: string;
  /** Replaces or adds fields of the structured body; `undefined` removes one. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Seconds or an HTTP date, written to `Retry-After` as it is. */
  readonly retryAfter?: number | string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An HTML page like a load balancer's, instead of an API error. */
  readonly html?: boolean;
  readonly body?: string;
  readonly contentType?: string;
  /** Echoes the request's credential in the message and in a header, to test for leaks. */
  readonly echoAuthorization?: boolean;
}

const OF_SOCKETS = ['close_socket', 'reset_socket', 'hang_socket', 'garbage_socket'] as const;
const OF_EVENTS = ['truncate_events', 'error_event'] as const;
const OF_RESPONSES = ['drip', 'big_header', 'truncate_events'] as const;

/** What can happen to an ordinary request. */
export type RequestFault = Exclude<FaultAction, { type: (typeof OF_SOCKETS)[number] }>;
/** What can happen to an upgrade, or to the WebSocket that it opens. */
export type UpgradeFault = Exclude<FaultAction, { type: (typeof OF_RESPONSES)[number] }>;

export interface FaultMatch {
  readonly method?: string;
  /** A path, or a prefix that ends in `*`. Rules for `at: 'accept'` have neither method nor path. */
  readonly path?: string;
}

export interface FaultRule {
  readonly match: FaultMatch;
  /** How often it applies; default: always. */
  readonly times?: number;
  readonly action: FaultAction;
}

export interface FaultHandle {
  readonly id: number;
  /** How often it has applied. */
  hits(): number;
  remove(): void;
}

/** A request or upgrade, as rules match it. */
export interface FaultTarget {
  readonly method: string;
  readonly path: string;
}

interface Entry {
  readonly id: number;
  readonly rule: FaultRule;
  hits: number;
}

/** The rules, in the order they were added: the first that matches applies. */
export class Faults {
  #entries: Entry[] = [];
  #lastId = 0;

  add(rule: FaultRule): FaultHandle {
    const entry: Entry = { id: ++this.#lastId, rule, hits: 0 };
    this.#entries.push(entry);
    return { id: entry.id, hits: () => entry.hits, remove: () => void this.remove(entry.id) };
  }

  /** @returns whether there was such a rule */
  remove(id: number): boolean {
    const before = this.#entries.length;
    this.#entries = this.#entries.filter((entry) => entry.id !== id);
    return this.#entries.length < before;
  }

  clear(): void {
    this.#entries = [];
  }

  list(): readonly { readonly id: number; readonly rule: FaultRule; readonly hits: number }[] {
    return this.#entries.map((entry) => ({ ...entry }));
  }

  /** The fault of a new connection, counted as applied. */
  takeForConnection(): AtAccept | null {
    return this.#take(isAtAccept, () => true);
  }

  /** The fault of a request, counted as applied. */
  takeForRequest(request: FaultTarget): RequestFault | null {
    return this.#take(answersWithEvents(request) ? isForRequest : isForPlainRequest, (match) =>
      matches(match, request),
    );
  }

  /** The fault of an upgrade, counted as applied. */
  takeForUpgrade(request: FaultTarget): UpgradeFault | null {
    return this.#take(isForUpgrade, (match) => matches(match, request));
  }

  #take<T extends FaultAction>(
    isSuitable: (action: FaultAction) => action is T,
    isMatch: (match: FaultMatch) => boolean,
  ): T | null {
    for (const entry of this.#entries) {
      const { action, match, times = Number.POSITIVE_INFINITY } = entry.rule;
      if (entry.hits >= times || !isSuitable(action) || !isMatch(match)) continue;
      entry.hits += 1;
      return action;
    }
    return null;
  }
}

type AtAccept = Extract<FaultAction, { type: 'refuse' | 'hang' }>;

function isAtAccept(action: FaultAction): action is AtAccept {
  return (action.type === 'refuse' || action.type === 'hang') && action.at === 'accept';
}

function isForRequest(action: FaultAction): action is RequestFault {
  return !isAtAccept(action) && !OF_SOCKETS.some((type) => type === action.type);
}

function isForPlainRequest(action: FaultAction): action is RequestFault {
  return isForRequest(action) && !OF_EVENTS.some((type) => type === action.type);
}

/** Every endpoint that answers with events is named like this. */
function answersWithEvents({ path }: FaultTarget): boolean {
  return path.endsWith('/sse');
}

function isForUpgrade(action: FaultAction): action is UpgradeFault {
  return !isAtAccept(action) && !OF_RESPONSES.some((type) => type === action.type);
}

function matches(match: FaultMatch, request: FaultTarget): boolean {
  if (match.method !== undefined && match.method !== request.method) return false;
  if (match.path === undefined) return true;
  return match.path.endsWith('*') ? request.path.startsWith(match.path.slice(0, -1)) : request.path === match.path;
}
