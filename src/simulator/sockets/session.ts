// One open WebSocket: its journal, its faults, its timers and its end.

import type { WebSocket } from 'ws';
import type { Cancel } from '../clock.ts';
import { resetConnection } from '../front-door.ts';
import { type Problem, problem } from '../problems.ts';
import type { Upgrade } from '../upgrade.ts';
import type { World } from '../world.ts';
import { IdleTimer } from './idle-timer.ts';

/** How a kind of socket handles what it receives. */
export interface SocketHandlers {
  text?(text: string): void;
  binary?(bytes: Buffer): void;
  ping?(): void;
  /** Reports an error now, in this socket's form, because a fault rule says so. */
  errorEvent?(problem: Problem): void;
}

/** Whether a close frame may carry the code; the others exist only on the receiver's side. @see RFC 6455 §7.4 */
const isSendable = (code: number) =>
  (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
/** The room for a reason in a close frame. @see RFC 6455 §5.5 */
const REASON_BYTES = 123;
/** The close reason for bugs in the simulator, used for nothing else. */
export const SIMULATOR_FAILURE = 'simulator failure';
/** With more than this in the buffer the client is not reading, and producers wait. */
const HIGH_WATER_BYTES = 1024 * 1024;
/** A client that sends more than this to a socket that hangs finds that nobody reads. */
const UNREAD_BYTES = 64 * 1024;

/** Close codes of `ws` for what is not a protocol error (1002). */
const VIOLATIONS: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
};

export class SocketSession {
  readonly world: World;
  readonly upgrade: Upgrade;
  readonly #socket: WebSocket;
  readonly #timers = new Set<Cancel>();
  #handlers: SocketHandlers = {};
  #idle: IdleTimer | null = null;
  #framesSent = 0;
  #fault: Upgrade['fault'];
  #isSilent = false;
  #isOver = false;
  #drained: (() => void)[] = [];
  readonly #atEnd: (() => void)[] = [];

  constructor(socket: WebSocket, upgrade: Upgrade) {
    this.#socket = socket;
    this.upgrade = upgrade;
    this.world = upgrade.world;
    this.#fault = upgrade.fault;
    this.#listen();
  }

  /** Installs the handlers. Nothing was missed until now, since `ws` emits nothing before the next tick. */
  start(handlers: SocketHandlers): void {
    this.#handlers = handlers;
    this.#carryOutFault();
  }

  /** Calls back once, as soon as either side has begun to close. */
  whenOver(run: () => void): void {
    this.#atEnd.push(run);
  }

  get isOpen(): boolean {
    return !this.#isOver && this.#socket.readyState === this.#socket.OPEN;
  }

  /** Closes with 1000 `connection idle timeout` if {@link touch} is not called for this long. */
  closeWhenIdle(idleMs: () => number): void {
    const close = () => this.close(1000, 'connection idle timeout');
    this.#idle = new IdleTimer(this.world.clock, idleMs, close);
  }

  touch(): void {
    this.#idle?.touch();
  }

  /** A timer of the simulated clock that ends with the socket. */
  after(ms: number, run: () => void): Cancel {
    const cancel = this.world.clock.after(ms, () => {
      this.#timers.delete(stop);
      run();
    });
    const stop = () => {
      this.#timers.delete(stop);
      cancel();
    };
    this.#timers.add(stop);
    return stop;
  }

  send(event: object): void {
    this.sendText(JSON.stringify(event));
  }

  sendText(text: string): void {
    this.#sendFrame('text', text);
  }

  /** Whether a producer should wait because the client is not reading. */
  get isCongested(): boolean {
    return this.#socket.bufferedAmount > HIGH_WATER_BYTES;
  }

  /** Resolves when the client has read on, or has gone. */
  async drained(): Promise<void> {
    if (!this.isOpen || !this.isCongested) return;
    await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  /** Sends a close frame. Codes that cannot be sent end the connection without one. */
  close(code: number, reason = ''): void {
    if (!this.isOpen || this.#isSilent) return;
    // Only whole characters: a client refuses a reason that is not UTF-8.
    const room = Buffer.alloc(REASON_BYTES);
    const told = room.subarray(0, new TextEncoder().encodeInto(reason, room).written);
    this.#note('server', 'close', told, code);
    if (isSendable(code)) this.#socket.close(code, told);
    else this.#socket.terminate();
    this.#over('completed');
  }

  /** Ends the socket after a bug in the simulator: 1011, with a reason that says whose fault it was. */
  fail(): void {
    this.close(1011, SIMULATOR_FAILURE);
  }

  /** Ends the connection with RST, on behalf of a fault. */
  #reset(): void {
    this.#over('faulted');
    resetConnection(this.upgrade.request.socket);
  }

  #sendFrame(kind: 'text' | 'binary', data: string | Uint8Array): void {
    if (!this.isOpen || this.#isSilent) return;
    this.#note('server', kind, data);
    this.#framesSent += 1;
    this.#socket.send(data, { binary: kind === 'binary' }, () => this.#wakeProducers());
    this.#carryOutFault();
  }

  #carryOutFault(): void {
    const fault = this.#fault;
    if (fault === null) return;
    const after = fault.type === 'error_event' ? fault.afterEvents : (fault.afterFrames ?? 0);
    if (this.#framesSent < after) return;
    this.#fault = null;
    switch (fault.type) {
      case 'close_socket':
        this.world.journal.update(this.upgrade.entry, { outcome: 'faulted' });
        this.close(fault.code, fault.reason);
        break;
      case 'reset_socket':
        // Earlier frames must leave the machine first: RST discards what is still buffered here.
        this.#isSilent = true;
        this.upgrade.request.socket.write('', () => this.#reset());
        break;
      case 'hang_socket':
        this.world.journal.update(this.upgrade.entry, { outcome: 'faulted' });
        this.#isSilent = true;
        this.#stopReading();
        break;
      case 'garbage_socket':
        this.#sendGarbage(fault);
        break;
      case 'error_event':
        this.#handlers.errorEvent?.(problem(this.world.settings, fault.problem));
        break;
      default:
        fault satisfies never;
    }
  }

  /** Takes over from `ws`, which would not notice behind unread frames that the client has left. */
  #stopReading(): void {
    const { socket } = this.upgrade.request;
    let unread = 0;
    socket.removeAllListeners('data').on('data', (bytes: Buffer) => {
      unread += bytes.length;
      if (unread > UNREAD_BYTES) socket.pause();
    });
  }

  #sendGarbage({ as, bytes }: Extract<NonNullable<Upgrade['fault']>, { type: 'garbage_socket' }>): void {
    const data = typeof bytes === 'string' && as !== 'text' ? Buffer.from(bytes, 'latin1') : bytes;
    this.world.journal.update(this.upgrade.entry, { outcome: 'faulted' });
    if (as === 'raw') this.upgrade.request.socket.write(data);
    else this.#sendFrame(as, data);
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on('message', (data: Buffer, isBinary) => {
      this.#note('client', isBinary ? 'binary' : 'text', data);
      if (this.#isOver) return;
      try {
        if (isBinary) this.#handlers.binary?.(data);
        else this.#handlers.text?.(data.toString('utf8'));
      } catch {
        this.fail();
      }
    });
    socket.on('ping', (data: Buffer) => {
      this.#note('client', 'ping', data);
      this.#handlers.ping?.();
    });
    socket.on('pong', (data: Buffer) => this.#note('client', 'pong', data));
    socket.on('close', (code, reason) => {
      // 1006 means that no close frame came.
      if (code !== 1006) this.#note('client', 'close', reason, code);
      this.#over(code === 1006 ? 'aborted' : 'completed');
    });
    socket.on('error', ({ code = '' }: NodeJS.ErrnoException) => {
      if (this.#isOver || !code.startsWith('WS_ERR_')) return;
      // `ws` has closed the socket after a protocol violation, and reads no further: not even the client's close frame.
      this.#note('server', 'close', '', VIOLATIONS[code] ?? 1002);
      this.#over('completed');
    });
  }

  #note(
    from: 'client' | 'server',
    kind: 'text' | 'binary' | 'ping' | 'pong' | 'close',
    data: string | Uint8Array,
    code?: number,
  ): void {
    const at = this.world.clock.now();
    this.world.journal.frame(this.upgrade.entry, { at, from, kind, ...(code === undefined ? {} : { code }) }, data);
  }

  #wakeProducers(): void {
    if (this.#drained.length === 0 || (this.isOpen && this.isCongested)) return;
    const waiting = this.#drained;
    this.#drained = [];
    for (const wake of waiting) wake();
  }

  #over(outcome: 'completed' | 'aborted' | 'faulted'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#idle?.stop();
    for (const stop of [...this.#timers]) stop();
    this.world.journal.update(this.upgrade.entry, { outcome });
    this.#wakeProducers();
    for (const run of this.#atEnd) run();
  }
}
