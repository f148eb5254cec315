// The generation contexts of one socket: which are going on, what each has taken, and when one counts as over.
//
// A context ends with `done` or an error. Neither is certain to come: a context that was cancelled, or that hit a limit, may just fall
// silent, so silence ends one, too. It is measured for each context, because a socket on which others speak is not silent.

import { BriefMap } from '../../../collections/brief-map.ts';

export interface TtsContext {
  readonly id: string;
  /** Code points of its transcripts so far. */
  characters: number;
  /** Those of them that do not count yet. */
  openCharacters: number;
  /** Upstream is working on it: from now on its text counts at once. */
  isTaken: boolean;
  /** Messages that wait for a lease; `null` = it does not wait for one. */
  held: Buffer[] | null;
  /** When it was last written to or heard from, milliseconds of the clock. */
  activeAtMs: number;
  isCancelled: boolean;
  /**
   * State of text that was sent after a cancel, which upstream may speak as a context of its own. `ending`: the end of the cancelled part is
   * still to come. `unheard`: that end has come, and nothing since.
   */
  renewal: 'none' | 'ending' | 'unheard';
  /** Its reader has already received an error. */
  isTold: boolean;
}

const NONE: readonly TtsContext[] = [];
/** The live service ends a context a second after its last audio; audio that is on its way takes longer. */
const SILENCE_MS = 60_000;
const SILENCE_AFTER_CANCEL_MS = 5000;

export class TtsContexts {
  readonly #contexts = new BriefMap<TtsContext>();
  #lastTouched: TtsContext | null = null;
  #only: TtsContext | null = null;

  get size(): number {
    return this.#contexts.size;
  }

  /** The context, if there is exactly one. */
  get only(): TtsContext | null {
    return this.#only;
  }

  get(id: string): TtsContext | undefined {
    return this.#contexts.get(id);
  }

  /** A copy, because contexts may end during iteration. */
  all(): readonly TtsContext[] {
    return this.#contexts.values();
  }

  begin(id: string, nowMs: number): TtsContext {
    const context: TtsContext = {
      id,
      characters: 0,
      openCharacters: 0,
      isTaken: false,
      held: null,
      activeAtMs: nowMs,
      isCancelled: false,
      renewal: 'none',
      isTold: false,
    };
    this.#contexts.set(id, context);
    this.#only = this.#contexts.size === 1 ? context : null;
    return context;
  }

  touch(context: TtsContext, nowMs: number): void {
    context.activeAtMs = nowMs;
    this.#lastTouched = context;
  }

  /** Text is sent after the context's cancel: what its reader was told concerned only the part before. */
  renew(context: TtsContext): void {
    context.isCancelled = false;
    context.isTold = false;
    context.renewal = 'ending';
  }

  /** @returns whether the context existed */
  end(id: string): boolean {
    if (this.#lastTouched?.id === id) this.#lastTouched = null;
    if (!this.#contexts.delete(id)) return false;
    this.#only = this.#contexts.size === 1 ? (this.#contexts.values()[0] ?? null) : null;
    return true;
  }

  /**
   * The context of an event that names none: the only one, or the one whose message was sent last, because that is what upstream is most
   * likely to complain about. Without a context, most clients would never learn of the event. Never one that waits for a lease: upstream
   * does not know it.
   */
  get likeliest(): TtsContext | null {
    const context = this.#only ?? this.#lastTouched;
    return context?.held === null ? context : null;
  }

  /** The context of an event. Upstream makes up an id for each message without one; here such messages are one context. */
  named(id: string): TtsContext | undefined {
    return this.#contexts.get(id) ?? this.#contexts.get('');
  }

  silent(nowMs: number): readonly TtsContext[] {
    if (this.#contexts.size === 0) return NONE;
    const list: TtsContext[] = [];
    for (const context of this.#contexts.values()) {
      if (context.held !== null) continue;
      const mayBeOver = context.isCancelled || context.renewal !== 'none';
      const silenceMs = mayBeOver ? SILENCE_AFTER_CANCEL_MS : SILENCE_MS;
      if (nowMs - context.activeAtMs > silenceMs) list.push(context);
    }
    return list;
  }
}
