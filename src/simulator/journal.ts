// What the simulator received, for assertions: requests, upgrades and the frames of sockets.

import type { IncomingHttpHeaders } from 'node:http';
import { StringDecoder } from 'node:string_decoder';

/** One WebSocket frame or message. */
export interface JournalFrame {
  readonly at: number;
  readonly from: 'client' | 'server';
  readonly kind: 'text' | 'binary' | 'ping' | 'pong' | 'close';
  readonly bytes: number;
  /** Text frames and close reasons, cut at `settings.journal.textBytes`. */
  readonly text?: string;
  /** Close frames only. */
  readonly code?: number;
}

/** How far an exchange has come. `aborted`: the client went away first. `faulted`: ended by a fault rule. */
export type Outcome = 'open' | 'completed' | 'aborted' | 'faulted';

/** One request or upgrade. It grows while the exchange is open: read it again, or wait for its outcome. */
export interface JournalEntry {
  readonly id: number;
  /** Number of the TCP connection it came on, for tests of pooling. */
  readonly connection: number;
  readonly secure: boolean;
  readonly transport: 'http' | 'websocket';
  /** Epoch milliseconds of the simulated clock. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  /** The request target as received. */
  readonly url: string;
  /** The first value of each query parameter, decoded. */
  readonly query: Readonly<Record<string, string>>;
  /** Lower-case names; repeated fields joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** Name, value, name, value… exactly as received. */
  readonly rawHeaders: readonly string[];
  /** The id that the simulator gave it and told the client. */
  readonly requestId: string;
  /**
   * The part of the body that was read, as text; empty if the headers alone led to a refusal, or if younger bodies needed the memory. Cut
   * at `settings.journal.textBytes`.
   */
  readonly body: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The status of the response, null until there is one. 101 for an accepted upgrade. */
  readonly status: number | null;
  readonly outcome: Outcome;
  readonly frames: readonly JournalFrame[];
}

export interface JournalFilter {
  readonly method?: string;
  readonly path?: string;
}

/** An entry as the simulator itself may write to it. */
export type OpenEntry = { -readonly [K in keyof JournalEntry]: JournalEntry[K] } & { frames: JournalFrame[] };

interface Waiter {
  readonly wanted: (entry: JournalEntry) => boolean;
  readonly found: (entry: JournalEntry) => void;
}

/** What is known about a request when it arrives. */
export type Arrival = Pick<
  JournalEntry,
  'connection' | 'secure' | 'transport' | 'at' | 'method' | 'url' | 'rawHeaders' | 'requestId'
> & { readonly headers: IncomingHttpHeaders };

/** See `journal` in settings.ts. */
export interface JournalLimits {
  readonly maximumEntries: number;
  readonly textBytes: number;
  readonly frames: boolean;
  readonly frameBytes: number;
  readonly bodyBytes: number;
}

export class Journal {
  readonly #limits: () => JournalLimits;
  readonly #waiters = new Set<Waiter>();
  /** In the order of arrival. A set, because removing the first of an array of thousands is slow. */
  readonly #entries = new Set<OpenEntry>();
  #oldest = this.#entries.values();
  #lastId = 0;
  #frameBytes = 0;
  /** Entries whose body is kept, in the order in which the bodies began, with what decodes the next chunk. */
  readonly #embodied = new Map<OpenEntry, StringDecoder>();
  #bodyBytes = 0;

  constructor(limits: () => JournalLimits) {
    this.#limits = limits;
  }

  /** All entries, oldest first, or those of a method and path. */
  entries(filter: JournalFilter = {}): readonly JournalEntry[] {
    return [...this.#entries].filter((entry) => matches(entry, filter));
  }

  clear(): void {
    this.#entries.clear();
    this.#oldest = this.#entries.values();
    this.#frameBytes = 0;
    this.#embodied.clear();
    this.#bodyBytes = 0;
  }

  /**
   * The first entry, past or future, that fits the filter and satisfies `wanted` (default: is no longer open).
   * @throws if none came within `timeoutMs`
   */
  async waitFor(
    filter: JournalFilter,
    wanted: (entry: JournalEntry) => boolean = (entry) => entry.outcome !== 'open',
    { timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {},
  ): Promise<JournalEntry> {
    const fits = (entry: JournalEntry) => matches(entry, filter) && wanted(entry);
    const present = [...this.#entries].find(fits);
    if (present !== undefined) return present;
    const { promise, resolve, reject } = Promise.withResolvers<JournalEntry>();
    const waiter: Waiter = { wanted: fits, found: resolve };
    this.#waiters.add(waiter);
    const timer = setTimeout(
      () => reject(new Error(`no such journal entry within ${timeoutMs} ms: ${JSON.stringify(filter)}`)),
      timeoutMs,
    );
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    });
  }

  /** Begins an entry. */
  open(arrival: Arrival): OpenEntry {
    const [path = '/', search = ''] = splitTarget(arrival.url);
    const entry: OpenEntry = {
      ...arrival,
      id: ++this.#lastId,
      path,
      query: firstValues(new URLSearchParams(search)),
      headers: joined(arrival.headers),
      body: '',
      bytesIn: 0,
      bytesOut: 0,
      status: null,
      outcome: 'open',
      frames: [],
    };
    this.#entries.add(entry);
    while (this.#entries.size > this.#limits().maximumEntries) this.#dropOldest();
    this.#tell(entry);
    return entry;
  }

  /** Writes to an entry. A finished outcome stays: what comes later is ignored. */
  update(entry: OpenEntry, change: Partial<Pick<JournalEntry, 'status' | 'outcome'>>): void {
    if (change.status !== undefined) entry.status = change.status;
    if (change.outcome !== undefined && entry.outcome === 'open') entry.outcome = change.outcome;
    this.#tell(entry);
  }

  /** Adds received body bytes. */
  received(entry: OpenEntry, chunk: Uint8Array): void {
    const isForgotten = entry.bytesIn > 0 && !this.#embodied.has(entry);
    const limits = this.#limits();
    const room = limits.textBytes - entry.bytesIn;
    entry.bytesIn += chunk.length;
    if (room <= 0 || isForgotten || !this.#entries.has(entry)) return;
    const decoder = this.#embodied.get(entry) ?? new StringDecoder('utf8'); // chunks may end inside a character
    // Cut before decoding, because a slice of a string keeps the whole string in memory.
    const text = decoder.write(chunk.subarray(0, room));
    entry.body += text;
    this.#embodied.set(entry, decoder);
    this.#bodyBytes += bodyWeight(text);
    for (const oldest of this.#embodied.keys()) {
      if (this.#bodyBytes <= limits.bodyBytes) break;
      this.#forgetBody(oldest);
    }
  }

  /** Adds a frame of a socket. `data` is its payload; for close frames, the reason. */
  frame(
    entry: OpenEntry,
    frame: Pick<JournalFrame, 'at' | 'from' | 'kind' | 'code'>,
    data: string | Uint8Array = '',
  ): void {
    const bytes = Buffer.byteLength(data);
    if (frame.from === 'client') entry.bytesIn += bytes;
    else entry.bytesOut += bytes;
    const limits = this.#limits();
    // The socket of a dropped entry may still be open: its frames are counted but no longer kept.
    if (limits.frames && this.#entries.has(entry)) {
      const isText = frame.kind === 'text' || frame.kind === 'close';
      const text = isText ? { text: textOf(data, limits.textBytes) } : {};
      const kept = { ...frame, bytes, ...text };
      entry.frames.push(kept);
      this.#frameBytes += weightOf(kept);
      while (this.#frameBytes > limits.frameBytes && this.#forgetFrames());
    }
    this.#tell(entry);
  }

  /** Forgets the older half of the oldest entry's frames; false when there is none. */
  #forgetFrames(): boolean {
    for (const { frames } of this.#entries) {
      if (frames.length === 0) continue;
      for (const frame of frames.splice(0, Math.ceil(frames.length / 2))) this.#frameBytes -= weightOf(frame);
      return true;
    }
    return false;
  }

  #forgetBody(entry: OpenEntry): void {
    if (!this.#embodied.delete(entry)) return;
    this.#bodyBytes -= bodyWeight(entry.body);
    entry.body = '';
  }

  #dropOldest(): void {
    const { value: entry } = this.#oldest.next();
    if (entry === undefined) return;
    this.#entries.delete(entry);
    // A caller that still holds the entry keeps its body.
    if (this.#embodied.delete(entry)) this.#bodyBytes -= bodyWeight(entry.body);
    for (const frame of entry.frames) this.#frameBytes -= weightOf(frame);
  }

  /** Nobody waits for an entry that is no longer kept: one from before a `clear()` would be mistaken for a new one. */
  #tell(entry: OpenEntry): void {
    if (!this.#entries.has(entry)) return;
    for (const waiter of this.#waiters) if (waiter.wanted(entry)) waiter.found(entry);
  }
}

/** Path and query string of a request target; absolute-form targets lose their origin. */
export function splitTarget(target: string): readonly [path: string, search: string] {
  const local = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
  const mark = local.indexOf('?');
  return mark === -1 ? [local || '/', ''] : [local.slice(0, mark) || '/', local.slice(mark + 1)];
}

/** At most this many bytes, decoded. */
function textOf(data: string | Uint8Array, maximumBytes: number): string {
  const bytes =
    typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bytes.toString('utf8', 0, maximumBytes);
}

/** Upper bound of a body's memory: binary uploads decode to characters of two bytes each. */
function bodyWeight(text: string): number {
  return 2 * text.length;
}

/** About what a frame costs in memory. */
function weightOf({ text = '' }: JournalFrame): number {
  return 200 + text.length;
}

function matches(entry: JournalEntry, { method, path }: JournalFilter): boolean {
  return (method === undefined || entry.method === method) && (path === undefined || entry.path === path);
}

function firstValues(query: URLSearchParams): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of query) values[name] ??= value;
  return values;
}

function joined(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );
}
