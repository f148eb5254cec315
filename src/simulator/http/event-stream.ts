// A response of server-sent events, in any of the framings that Cartesia's documentation allows.

import { type Problem, problem, ttsErrorEvent } from '../problems.ts';
import type { Exchange } from './exchange.ts';

export interface EventStreamForm {
  /** Repeated in legacy error events. */
  readonly contextId?: string | undefined;
  /** Called before the event that ends the stream is written. */
  readonly beforeEnd: () => void;
}

/** Sends events, and applies the exchange's fault rule to them. */
export class EventStream {
  readonly #exchange: Exchange;
  readonly #form: EventStreamForm;
  #sent = 0;

  constructor(exchange: Exchange, form: EventStreamForm) {
    this.#exchange = exchange;
    this.#form = form;
  }

  start(): void {
    this.#exchange.start(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  }

  /**
   * Sends one event.
   * @returns false if a fault has ended the stream and no more events may be sent
   */
  async send(event: Readonly<Record<string, unknown>>): Promise<boolean> {
    const { fault } = this.#exchange;
    const text = this.#framed(event);
    if (fault?.type === 'error_event' && this.#sent >= fault.afterEvents) {
      await this.fail(problem(this.#exchange.world.settings, fault.problem));
      return false;
    }
    if (fault?.type === 'truncate_events' && this.#sent >= fault.afterEvents) {
      this.#form.beforeEnd();
      if (fault.partial) await this.#exchange.write(text.slice(0, Math.ceil(text.length / 2)));
      if (fault.end === 'fin' || fault.end === 'reset') await this.#exchange.cutNow(fault.end);
      await this.#exchange.end();
      return false;
    }
    this.#sent += 1;
    await this.#exchange.write(text);
    return true;
  }

  /** Sends the last event and ends the response. */
  async finish(event: Readonly<Record<string, unknown>>): Promise<void> {
    this.#form.beforeEnd();
    if (await this.send(event)) await this.#exchange.end();
  }

  /** Sends an error event, which ends the response. */
  async fail(cause: Problem): Promise<void> {
    const { version, requestId } = this.#exchange;
    const { contextId } = this.#form;
    const event = ttsErrorEvent(cause, { structured: version.structured, requestId, contextId, transport: 'sse' });
    this.#form.beforeEnd();
    await this.#exchange.write(this.#framed(event));
    await this.#exchange.end();
  }

  #framed(event: Readonly<Record<string, unknown>>): string {
    const { framing, lineEnd } = this.#exchange.world.settings.sse;
    const named = framing === 'event' || (framing === 'error_event' && event['type'] === 'error');
    const newline = lineEnd === 'crlf' ? '\r\n' : '\n';
    const name = named ? `event: ${event['type'] ?? 'message'}${newline}` : '';
    return `${name}data: ${JSON.stringify(event)}${newline}${newline}`;
  }
}
