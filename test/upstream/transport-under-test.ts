// Sends requests through either transport in the same way, and records what the handler is told.

import { createHttp1Transport } from '../../src/upstream/http1-transport.ts';
import type { BodyForm, UpstreamControl, UpstreamRequest, UpstreamTransport } from '../../src/upstream/transport.ts';
import { createTrust, type Trust } from '../../src/upstream/trust.ts';
import { createUndiciTransport } from '../../src/upstream/undici-transport.ts';
import type { UpstreamFailure } from '../../src/upstream/upstream-failure.ts';

export const TRANSPORTS = { undici: createUndiciTransport, native: createHttp1Transport } as const;
export type TransportName = keyof typeof TRANSPORTS;
export const NAMES = Object.keys(TRANSPORTS) as readonly TransportName[]; // the keys of the line above

export interface TransportSettings {
  readonly connections?: number;
  readonly connectTimeoutMs?: number;
  readonly trust?: Trust;
}

export function transportTo(name: TransportName, url: string, settings: TransportSettings = {}): UpstreamTransport {
  const { connections = 4, connectTimeoutMs = 2000, trust = createTrust(null) } = settings;
  return TRANSPORTS[name]({ upstream: { baseUrl: url, connections }, trust, connectTimeoutMs });
}

/** Records everything that a handler is told. */
export class Hearing {
  control: UpstreamControl | null = null;
  status = 0;
  headers: readonly string[] = [];
  body = Buffer.alloc(0);
  /** Body bytes without framing. */
  dataBytes = 0;
  chunks = 0;
  /** Whether the latest chunk was known to be the last one. */
  isLast = false;
  failure: UpstreamFailure | null = null;
  /** In order: `sent`, `head`, `end`, `failure`. */
  readonly calls: string[] = [];
  readonly over: Promise<this>;
  readonly #end: (hearing: this) => void;
  readonly #form: BodyForm;
  readonly #onData: ((chunk: Buffer) => boolean) | null;

  constructor(form: BodyForm, onData: ((chunk: Buffer) => boolean) | null) {
    this.#form = form;
    this.#onData = onData;
    const { promise, resolve } = Promise.withResolvers<this>();
    this.over = promise;
    this.#end = resolve;
  }

  get outcome(): string {
    return this.failure === null ? `${this.status} ${this.body.toString('latin1')}` : 'failed';
  }

  header(name: string): string[] {
    return this.headers.filter((_, at) => at % 2 === 1 && this.headers[at - 1]?.toLowerCase() === name);
  }

  onSent(control: UpstreamControl): void {
    this.control = control;
    this.calls.push('sent');
  }

  onHead(status: number, headers: readonly string[]): BodyForm {
    this.calls.push('head');
    this.status = status;
    this.headers = headers;
    return this.#form;
  }

  onData(chunk: Buffer, dataBytes: number, isLast: boolean): boolean {
    this.chunks += 1;
    this.isLast = isLast;
    this.dataBytes += dataBytes;
    this.body = Buffer.concat([this.body, chunk]);
    return this.#onData?.(chunk) === true;
  }

  onEnd(): void {
    this.calls.push('end');
    this.#end(this);
  }

  onFailure(failure: UpstreamFailure): void {
    this.calls.push('failure');
    this.failure = failure;
    this.#end(this);
  }
}

export interface AskOptions extends Partial<UpstreamRequest> {
  readonly form?: BodyForm;
  /** @returns whether the receiver goes on holding the chunk, if that is only lent */
  readonly onData?: (chunk: Buffer) => boolean;
}

export function ask(transport: UpstreamTransport, options: AskOptions = {}): Hearing {
  const { method = 'GET', target = '/voices', headers = ['accept', '*/*'], body = null, form = 'data' } = options;
  const hearing = new Hearing(form, options.onData ?? null);
  transport.send({ method, target, headers, body }, hearing);
  return hearing;
}
