// Counts the characters of a speech socket that Cartesia has taken. Text that waits for a lease was not sent yet, and text that was sent is
// open until something is heard of its context. A refusal discards open text, so that nothing is ever subtracted again: what was reported
// to budgets and metrics stays true.
import { BriefMap } from '../../../collections/brief-map.ts';
import type { SocketUsage } from './protocol.ts';
import type { TtsContext } from './tts-contexts.ts';

/** Text sent under a context id whose contexts were ended by errors. */
interface Refused {
  readonly characters: number;
  readonly atMs: number;
}

/** Beyond this many at a time, or with a longer context id, refused text is counted at once instead of remembered. */
const REFUSED_MAX = 100;
const NAME_MAX = 512;
/** By then upstream would have begun to speak. */
const FORGOTTEN_MS = 60_000;

export class TtsCharacters {
  readonly #usage: SocketUsage;
  #open = 0;
  /** By context id. Text that upstream speaks all the same counts after all. */
  readonly #refused = new BriefMap<Refused>();

  constructor(usage: SocketUsage) {
    this.#usage = usage;
  }

  /** Characters that are counted or still open. */
  get all(): number {
    return this.#usage.characters + this.#open;
  }

  /** Whether a chunk's context matters even if only one context is open. */
  get hasRefused(): boolean {
    return this.#refused.size > 0;
  }

  add(context: TtsContext, characters: number): void {
    context.characters += characters;
    if (context.isTaken) this.#usage.characters += characters;
    else {
      context.openCharacters += characters;
      this.#open += characters;
    }
  }

  /** Upstream has begun to work on the context, or may have. */
  taken(context: TtsContext): void {
    if (context.isTaken) return;
    context.isTaken = true;
    this.#usage.characters += this.#close(context);
  }

  /** Upstream never received the context. */
  dropped(context: TtsContext): void {
    this.#close(context);
  }

  /**
   * Upstream has reported an error of the context.
   * @returns whether its text is remembered, in case it is spoken all the same
   */
  refused(context: TtsContext, nowMs: number): boolean {
    if (this.#refused.size >= REFUSED_MAX || context.id.length > NAME_MAX) {
      this.taken(context);
      return false;
    }
    const before = this.#refused.get(context.id)?.characters ?? 0;
    this.#refused.set(context.id, { characters: before + this.#close(context), atMs: nowMs });
    return true;
  }

  /**
   * Something was heard of a context that may have ended with an error.
   * @returns whether it had
   */
  spoken(contextId: string): boolean {
    const refused = this.#refused.get(contextId);
    if (refused === undefined) return false;
    this.#refused.delete(contextId);
    this.#usage.characters += refused.characters;
    return true;
  }

  /** About once a second. */
  look(nowMs: number): void {
    if (this.#refused.size === 0) return;
    for (const id of this.#refused.keys()) {
      if (nowMs - (this.#refused.get(id)?.atMs ?? 0) > FORGOTTEN_MS) this.#refused.delete(id);
    }
  }

  /** @returns how many characters were open */
  #close(context: TtsContext): number {
    const { openCharacters } = context;
    context.openCharacters = 0;
    this.#open -= openCharacters;
    return openCharacters;
  }
}
