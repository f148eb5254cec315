// One mint under way: its caller's promise, its deadline and how far it has come.
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
  /** Index in the list of calls under way. */
  place = -1;
  readonly version: string;
  readonly body: Buffer;
  readonly pass: Pass;
  readonly enteredAtMs: number;
  /** When it got its connection slot, monotonic milliseconds; 0 while it waits in line. */
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

  /** The caller has its result. A connection attempt that cannot be cancelled may hold the slot a while longer. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /**
   * Node runs timers before it reads sockets: if this process was busy, the response may have arrived but be unread. So the deadline counts
   * only once everything that had arrived was read; otherwise our own overload would look like a silent upstream and open the circuit.
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

/** Shared by all calls instead of a closure for each, because few calls ever reach it. */
function lookOnceRead<Token>(call: MintCall<Token>, onDeadline: (call: MintCall<Token>) => void): void {
  setImmediate(() => {
    if (!call.isSettled) onDeadline(call);
  });
}
