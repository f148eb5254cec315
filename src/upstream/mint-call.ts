// One mint under way: who waits for it, since when, and how far it has come.
import type { Listed } from '../collections/live-list.ts';
import type { Problem } from '../errors/problems.ts';
import type { Pass } from './circuit-breaker.ts';
import type { Sending } from './sending.ts';

export interface MintCallOptions<Token> {
  readonly version: string;
  readonly body: Buffer;
  /** The circuit breaker's permission. */
  readonly pass: Pass;
  /** Monotonic milliseconds. */
  readonly enteredAtMs: number;
  readonly resolve: (token: Token) => void;
  readonly reject: (problem: Problem) => void;
}

export class MintCall<Token> implements Listed {
  /** In the list of calls under way. */
  place = -1;
  readonly version: string;
  readonly body: Buffer;
  readonly pass: Pass;
  readonly enteredAtMs: number;
  /** When it got its connection slot; 0 while it waits in line. */
  sentAtMs = 0;
  /** `null` while upstream has not been asked. */
  sending: Sending | null = null;
  readonly #resolve: (token: Token) => void;
  readonly #reject: (problem: Problem) => void;
  #timer: NodeJS.Timeout | null = null;
  #isSettled = false;

  constructor(options: MintCallOptions<Token>) {
    this.version = options.version;
    this.body = options.body;
    this.pass = options.pass;
    this.enteredAtMs = options.enteredAtMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  /** Over for its caller. A connection attempt that cannot be taken back may hold its slot a while longer. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /**
   * Timers come before sockets: where this process was busy, the answer may lie there unread. So a deadline counts only when what has come
   * by then was read; else an overload of ours would look like a silence of upstream's, and open the circuit.
   */
  startTimer(ms: number, onDeadline: (call: MintCall<Token>) => void): void {
    this.#timer = setTimeout(lookOnceRead<Token>, ms, this, onDeadline);
  }

  resolve(token: Token): void {
    this.#settle();
    this.#resolve(token);
  }

  reject(problem: Problem): void {
    this.#settle();
    this.#reject(problem);
  }

  #settle(): void {
    this.#isSettled = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

/** One function for all calls: few of them ever come to it. */
function lookOnceRead<Token>(call: MintCall<Token>, onDeadline: (call: MintCall<Token>) => void): void {
  setImmediate(() => {
    if (!call.isSettled) onDeadline(call);
  });
}
