// The generation contexts of one socket: which are going on, what each has taken, and when one counts as over.
//
// A context ends with `done` or an error. Neither is certain to come: a context that was cancelled, or that hit a limit, may just fall
// silent, so silence ends one too.

import { BriefMap } from '../../collections/brief-map.ts';

export interface TtsContext {
  readonly id: string;
  /** Code points of its transcripts so far. */
  characters: number;
  /** Messages that wait for a lease; `null` = it goes. */
  held: Buffer[] | null;
  /** When it was last written to, milliseconds of the clock. */
  touchedAtMs: number;
  isCancelled: boolean;
}

const NONE: readonly TtsContext[] = [];
/** The live service ends a context a second after its last audio; audio that is on its way takes longer. */
const SILENCE_MS = 60_000;
const SILENCE_AFTER_CANCEL_MS = 5000;

export class TtsContexts {
  readonly #contexts = new BriefMap<TtsContext>();
  #lastTouched: TtsContext | null = null;

  get size(): number {
    return this.#contexts.size;
  }

  get(id: string): TtsContext | undefined {
    return this.#contexts.get(id);
  }

  /** A copy: contexts may end while it is walked. */
  all(): readonly TtsContext[] {
    return this.#contexts.values();
  }

  begin(id: string, nowMs: number): TtsContext {
    const context: TtsContext = { id, characters: 0, held: null, touchedAtMs: nowMs, isCancelled: false };
    this.#contexts.set(id, context);
    return context;
  }

  touch(context: TtsContext, nowMs: number): void {
    context.touchedAtMs = nowMs;
    this.#lastTouched = context;
  }

  /** @returns whether there was one */
  end(id: string): boolean {
    if (this.#lastTouched?.id === id) this.#lastTouched = null;
    return this.#contexts.delete(id);
  }

  /**
   * Whose an event is that names no context: the only one's, or that of the message which went up last, because that is what upstream
   * is most likely to complain about. Without a name most clients would never learn of it.
   */
  get likeliest(): TtsContext | null {
    if (this.#contexts.size !== 1) return this.#lastTouched;
    const [only] = this.#contexts.values();
    return only ?? null;
  }

  /** @param heardAtMs when upstream was last heard on this socket */
  silent(nowMs: number, heardAtMs: number): readonly TtsContext[] {
    if (this.#contexts.size === 0) return NONE;
    const list: TtsContext[] = [];
    for (const context of this.#contexts.values()) {
      if (context.held !== null) continue;
      const since = nowMs - (context.isCancelled ? context.touchedAtMs : Math.max(context.touchedAtMs, heardAtMs));
      if (since > (context.isCancelled ? SILENCE_AFTER_CANCEL_MS : SILENCE_MS)) list.push(context);
    }
    return list;
  }
}
