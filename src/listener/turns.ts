// Requests of one connection take turns: the next one starts when the answer of the one before is out.
//
// Node hands over pipelined requests as fast as it parses them. Started at once they would run although the answer of an
// earlier one closes the connection, and nobody would ever see theirs: minted and lost. In turns, what is started is answered.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Problem } from '../errors/problems.ts';
import { endConnection, ignoreRest } from './end-connection.ts';
import { isSlowBody } from './slow-body.ts';

/** How a request is handled once it is its turn. */
export interface Handling {
  readonly run: RequestListener;
  /** Answers without the application, and closes the connection with it. `isRunning`: the application has the request already. */
  readonly refuse: (request: IncomingMessage, response: ServerResponse, problem: Problem, isRunning: boolean) => void;
}

interface Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  problem: Problem | null;
}

/** Requests that may wait on one connection. Who sends more without reading answers is no client of ours. */
const WAITING_MAX = 100;
/** Characters of their heads: to read a hundred of the longest takes 10 ms, for each connection, and they are kept until their turn. */
const WAITING_MAX_LENGTH = 64 * 1024;

const turns: unique symbol = Symbol('turns');

declare module 'node:stream' {
  interface Duplex {
    [turns]?: Turns | undefined;
  }
}

/** The turns of a connection, begun with its first request. */
export function turnsOf(socket: Duplex, handling: Handling): Turns {
  socket[turns] ??= new Turns(socket, handling);
  return socket[turns];
}

/** The connection has left HTTP behind. */
export function forgetTurns(socket: Duplex): void {
  socket[turns] = undefined; // not deleted: that would turn the socket into a hash table of three kilobytes
}

export class Turns {
  readonly #socket: Duplex;
  readonly #handling: Handling;
  /** Begun and not yet answered. */
  #current: Turn | null = null;
  /** The one that came last. */
  #last: Turn | null = null;
  readonly #waiting: Turn[] = [];
  #waitingLength = 0;
  #isClosed = false;
  #isDeaf = false;
  #farewell: (() => string) | null = null;

  constructor(socket: Duplex, handling: Handling) {
    this.#socket = socket;
    this.#handling = handling;
  }

  /** An answer is still owed. */
  get isBusy(): boolean {
    return this.#current !== null; // who waits does so for one that is under way
  }

  /** What comes now is the body of a request that may take its time. */
  get isTakingItsTime(): boolean {
    const current = this.#current;
    return current !== null && current === this.#last && !current.response.writableEnded && isSlowBody(current.request);
  }

  /** @param problem why it is refused, after which the connection ends; `null` = it is run */
  take(request: IncomingMessage, response: ServerResponse, problem: Problem | null): void {
    if (this.#isClosed || !this.#socket.writable) {
      this.#ignoreRest(); // nothing behind a refusal or a last answer is run
      return;
    }
    const turn = { request, response, problem };
    this.#last = turn;
    if (problem !== null) this.#isClosed = true;
    if (this.#current === null) {
      this.#begin(turn);
      return;
    }
    this.#waiting.push(turn);
    this.#waitingLength += lengthOf(request);
    if (this.#waiting.length === WAITING_MAX || this.#waitingLength > WAITING_MAX_LENGTH) {
      this.#isClosed = true;
      response.shouldKeepAlive = false;
    }
  }

  /**
   * What came last on the connection is not HTTP, or did not come in time. Requests that came whole before it are answered first;
   * the answer of one that is cut off inside its body is the refusal.
   * @param farewell the bytes that refuse what never became a request; called when they are due
   */
  close(problem: Problem, farewell: () => string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const last = this.#last;
    if (last === null || last.request.complete) {
      this.#farewell = farewell;
      if (this.#current === null) this.#end();
      return;
    }
    if (this.#current !== last && this.#waiting.includes(last)) last.problem = problem;
    else if (this.#current === last && !last.response.headersSent) {
      this.#handling.refuse(last.request, last.response, problem, true);
    } else if (this.#current === null) this.#end(); // it was answered before its body broke: that is its one answer
  }

  #begin(turn: Turn): void {
    const { request, response, problem } = turn;
    this.#current = turn;
    if (problem === null) this.#handling.run(request, response);
    else this.#handling.refuse(request, response, problem, false);
    response.on('close', this.#next); // behind the listeners of the application: it writes its line first
  }

  readonly #next = (): void => {
    // The rest of a body that had all the time is not waited for: nobody looks at the clock for it any more.
    if (this.#current !== null && isSlowBody(this.#current.request)) this.#isClosed = true;
    this.#current = null;
    if (!this.#socket.writable) {
      this.#waiting.length = 0;
      return;
    }
    const turn = this.#waiting.shift();
    if (turn !== undefined) {
      this.#waitingLength -= lengthOf(turn.request);
      this.#begin(turn);
    } else if (this.#isClosed) this.#end();
  };

  /** All before has come whole: a request came behind it. */
  #ignoreRest(): void {
    if (this.#isDeaf) return;
    this.#isDeaf = true;
    ignoreRest(this.#socket);
  }

  #end(): void {
    endConnection(this.#socket as Socket, this.#farewell?.()); // an HTTP server's connections are sockets
  }
}

/** Of the head. */
function lengthOf({ rawHeaders, url = '' }: IncomingMessage): number {
  let length = url.length;
  for (const text of rawHeaders) length += text.length;
  return length;
}
