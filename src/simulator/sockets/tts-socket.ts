// The simulated WebSocket /tts/websocket.

import { randomUUID } from 'node:crypto';
import type { PcmFormat } from '../audio/containers.ts';
import { type Problem, problem, ttsErrorEvent } from '../problems.ts';
import { type GenerationRequest, readStreamedGeneration } from '../tts/generation-request.ts';
import { isBefore } from '../version.ts';
import { acceptBooked, admitted, refuseOpened, type SocketEndpoint } from './endpoint.ts';
import { parsedMessage } from './message.ts';
import type { SocketSession } from './session.ts';
import { TtsContext } from './tts-context.ts';

/** Speech in contexts, many at once on one socket. @see https://docs.cartesia.ai/use-the-api/tts-websocket/contexts */
export const ttsEndpoint: SocketEndpoint = {
  path: '/tts/websocket',
  open: (opening) => {
    if (admitted(opening, 'tts', refuse) === null) return;
    acceptBooked(opening, 'ttsSockets', (session) => new TtsSocket(session).start());
  },
};

function refuse(session: SocketSession, refused: Problem): void {
  refuseOpened(session, refused, errorEvent(session, refused));
}

function errorEvent(session: SocketSession, cause: Problem, contextId?: string): object {
  const { requestId, version } = session.upgrade;
  return ttsErrorEvent(cause, {
    structured: version.structured,
    requestId: contextId === undefined ? requestId : `${requestId}:${contextId}:${randomUUID()}`,
    contextId,
    transport: 'websocket',
  });
}

/** Letters, digits, `_` and `-`, as the live service requires. Its maximum length is unknown; this one bounds memory. */
const CONTEXT_ID = /^[A-Za-z0-9_-]{1,512}$/;
/** How many ended contexts are remembered, to tell late text for them from a new context. */
const REMEMBERED = 1_000;

class TtsSocket {
  readonly #session: SocketSession;
  readonly #contexts = new Map<string, TtsContext>();
  readonly #ended = new Set<string>();

  constructor(session: SocketSession) {
    this.#session = session;
  }

  start(): void {
    const { settings } = this.#session.world;
    this.#session.closeWhenIdle(() => settings.idle.ttsMs);
    this.#session.whenOver(() => {
      for (const context of this.#contexts.values()) context.abandon();
      this.#contexts.clear();
    });
    this.#session.start({
      text: (text) => this.#receive(text),
      binary: () => this.#refuse(this.#invalid('Messages are JSON text.')),
      errorEvent: (cause) => {
        const [first] = this.#contexts.keys();
        this.#refuse(cause, first);
      },
    });
  }

  #receive(text: string): void {
    this.#session.touch();
    const message = parsedMessage(text);
    if (message === null) {
      this.#refuse(this.#invalid('The message is not a JSON object.'));
      return;
    }
    const { context_id: id, cancel } = message;
    if (cancel === true) {
      // A cancel for a context that has ended in the meantime is not a client error.
      if (typeof id === 'string') this.#contexts.get(id)?.cancel();
      return;
    }
    const refused = this.#idFault(id);
    if (refused !== null) {
      this.#refuse(refused);
      return;
    }
    const contextId = typeof id === 'string' ? id : randomUUID();
    const cause = this.#generate(contextId, message);
    if (cause !== null) this.#refuse(cause, contextId);
  }

  #idFault(id: unknown): Problem | null {
    const { settings } = this.#session.world;
    if (id === undefined || id === null || id === '') {
      const isOptional = id !== '' && !settings.sockets.contextIdRequired;
      return isOptional ? null : problem(settings, 'context_id_invalid');
    }
    if (typeof id === 'string' && CONTEXT_ID.test(id)) return null;
    const message = 'must contain only letters, digits, "_" and "-"';
    return problem(settings, 'context_id_invalid', { message });
  }

  /** Begins or continues a context. Returns a problem if that fails, which ends the context. */
  #generate(contextId: string, message: Readonly<Record<string, unknown>>): Problem | null {
    const { world, upgrade } = this.#session;
    const known = this.#contexts.get(contextId);
    if (known === undefined && this.#ended.has(contextId)) {
      return this.#invalid('The context has ended; a finished context_id cannot be used again.');
    }
    const read = readStreamedGeneration(world, this.#withDefaults(message), {
      version: upgrade.version,
      allowEmptyTranscript: known !== undefined,
    });
    if (read.outcome === 'refused') return read.problem;
    const context = known ?? this.#begin(contextId, read.value);
    return context === null ? problem(world.settings, 'concurrency_limited') : context.add(read.value);
  }

  /** Before version 2025-11-04, text was not held back unless a delay was asked for. */
  #withDefaults(message: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    return isBefore(this.#session.upgrade.version, '2025-11-04') ? { max_buffer_delay_ms: 0, ...message } : message;
  }

  /** Begins a new context; null if the plan has no room for it. */
  #begin(contextId: string, request: GenerationRequest<PcmFormat>): TtsContext | null {
    const { world } = this.#session;
    const slot = world.concurrency.take('tts');
    if (slot === null) return null;
    const context = new TtsContext(this.#session, contextId, request, () => {
      slot.release();
      this.#forget(contextId);
    });
    this.#contexts.set(contextId, context);
    return context;
  }

  #forget(contextId: string): void {
    this.#contexts.delete(contextId);
    this.#ended.add(contextId);
    const [oldest] = this.#ended;
    if (this.#ended.size > REMEMBERED && oldest !== undefined) this.#ended.delete(oldest);
  }

  /** Sends an error, which ends the context that it names. */
  #refuse(cause: Problem, contextId?: string): void {
    if (contextId !== undefined) this.#contexts.get(contextId)?.abandon();
    this.#session.send(errorEvent(this.#session, cause, contextId));
  }

  #invalid(message: string): Problem {
    return problem(this.#session.world.settings, 'invalid_request', { message });
  }
}
