// Runs the requests of one connection in turn: each starts when the response to the one before has been sent.
//
// Node hands over pipelined requests as fast as it parses them. Started at once, they would run even if the response to an
// earlier one closes the connection, and their tokens would be minted and lost. In turn, what is started is answered.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Problem } from '../errors/problems.ts';
import { endConnection, ignoreRest } from './end-connection.ts';
import { isSlowBody } from './slow-body.ts';

/** How a request is handled once it is its turn. */
export interface Handling {
  readonly run: RequestListener;
  /** Answers without the application and closes the connection. `isRunning`: the application already has the request. */
  readonly refuse: (request: IncomingMessage, response: ServerResponse, problem: Problem, isRunning: boolean) => void;
}

interface Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  problem: Problem | null;
}

/** Requests that may wait on one connection. No proper client sends more without reading responses. */
const WAITING_MAX = 100;
/** Characters of their heads in total: reading a hundred of the longest takes 10 ms per connection, and they are kept until their turn. */
const WAITING_MAX_LENGTH = 64 * 1024;

const turns: unique symbol = Symbol('turns');

declare module 'node:stream' {
  interface Duplex {
    [turns]?: Turns | undefined;
  }
}

/** The turns of a connection, created with its first request. */
export function turnsOf(socket: Duplex, handling: Handling): Turns {
  socket[turns] ??= new Turns(socket, handling);
  return socket[turns];
}

/** To be called when the connection no longer speaks HTTP. */
export function forgetTurns(socket: Duplex): void {
  socket[turns] = undefined; // not `delete`: that would turn the socket into a hash table of three kilobytes
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

  /** Whether a response is still due. */
  get isBusy(): boolean {
    return this.#current !== null; // requests wait only while one is under way
  }

  /** Whether what comes now is the body of a request that is allowed to be slow. */
  get isTakingItsTime(): boolean {
    const current = this.#current;
    return current !== null && current === this.#last && !current.response.writableEnded && isSlowBody(current.request);
  }

  /** @param problem why it is refused, after which the connection ends; `null` = run it */
  take(request: IncomingMessage, response: ServerResponse, problem: Problem | null): void {
    if (this.#isClosed || !this.#socket.writable) {
      this.#ignoreRest(); // nothing after a refusal or a last response is run
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
   * one that is cut off inside its body gets the refusal as its response.
   * @param farewell returns the bytes that refuse what never became a request; called when they are due
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
    } else if (this.#current === null) this.#end(); // it was answered before its body broke off: no second response
  }

  #begin(turn: Turn): void {
    const { request, response, problem } = turn;
    this.#current = turn;
    if (problem === null) this.#handling.run(request, response);
    else this.#handling.refuse(request, response, problem, false);
    response.on('close', this.#next); // after the application's listeners: it logs its line first
  }

  readonly #next = (): void => {
    // The rest of a slow body is not waited for: no time limit holds for it any more.
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

  /** Everything before has come whole, since a request came after it. */
  #ignoreRest(): void {
    if (this.#isDeaf) return;
    this.#isDeaf = true;
    ignoreRest(this.#socket);
  }

  #end(): void {
    endConnection(this.#socket as Socket, this.#farewell?.()); // an HTTP server's connections are sockets
  }
}

/** Characters of the head. */
function lengthOf({ rawHeaders, url = '' }: IncomingMessage): number {
  let length = url.length;
  for (const text of rawHeaders) length += text.length;
  return length;
}
