// The protocol of a call with an agent: JSON text both ways, billed by time. A dialect decides what a message may say and how a refusal
// looks.
import { Problem } from '../../../errors/problems.ts';
import { CallMeter } from './call-meter.ts';
import type { MessageVerdict, Occasion, ProtocolHost, SocketProtocol } from './protocol.ts';

export interface AgentDialect {
  /**
   * @param overrides what this caller may set, in the configuration's terms
   * @returns why the message may not pass; `null` = it may
   * @throws Problem if it cannot be read
   */
  check(payload: Buffer, overrides: ReadonlySet<string>): Problem | null;
  /** Tells the client that a message was refused. */
  refuse(problem: Problem, host: ProtocolHost): void;
  /** @returns what the client gets instead of an upstream message; `null` = the message unchanged */
  replacement(bytes: Buffer, start: number, end: number, host: ProtocolHost): string | null;
  /** The last messages before the socket is closed. */
  farewell(problem: Problem, occasion: Occasion): readonly string[];
}

export class AgentProtocol implements SocketProtocol {
  readonly takesBinary = false;
  /** A call never holds up a shutdown: waiting for its end could take an hour. */
  readonly isBusy = false;
  readonly #host: ProtocolHost;
  readonly #dialect: AgentDialect;
  readonly #overrides: ReadonlySet<string>;
  readonly #call = new CallMeter();

  constructor(host: ProtocolHost, dialect: AgentDialect, overrides: ReadonlySet<string>) {
    this.#host = host;
    this.#dialect = dialect;
    this.#overrides = overrides;
  }

  get usage() {
    return this.#call.usage;
  }

  clientText(payload: Buffer): MessageVerdict {
    const problem = this.#check(payload);
    if (problem !== null) {
      this.#dialect.refuse(problem, this.#host);
      return 'drop';
    }
    this.#call.passed(this.#host);
    return 'pass';
  }

  clientBinary(isFirst: boolean): void {
    if (!isFirst) return;
    this.#dialect.refuse(new Problem('invalid_request', 'Messages on this socket must be JSON text.'), this.#host);
  }

  clientAudio(): void {}

  upstreamText(bytes: Buffer, start: number, end: number): string | null {
    return this.#dialect.replacement(bytes, start, end, this.#host);
  }

  farewell(problem: Problem, occasion: Occasion): readonly string[] {
    return this.#dialect.farewell(problem, occasion);
  }

  cancels(): readonly string[] {
    return [];
  }

  look(): void {
    this.#call.look(this.#host.nowMs);
  }

  listenAfresh(): void {}

  end(): void {
    this.#call.look(this.#host.touch());
  }

  #check(payload: Buffer): Problem | null {
    try {
      return this.#dialect.check(payload, this.#overrides);
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
  }
}
