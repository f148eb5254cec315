// Which characters of a speech socket count: those that Cartesia has taken. Text that waits for a lease has not gone up yet; what went up
// is on its way until something is heard of its context. A refusal takes it off, so that nothing ever has to be counted back: what was
// told to budgets and metrics stays true.
import { BriefMap } from '../../../collections/brief-map.ts';
import type { SocketUsage } from './protocol.ts';
import type { TtsContext } from './tts-contexts.ts';

/** Text of a context that an error has ended. */
interface Refused {
  readonly characters: number;
  readonly atMs: number;
}

/** More than this many at a time, or under a longer name, are counted at once instead. */
const REFUSED_MAX = 100;
const NAME_MAX = 512;
/** By then upstream would have spoken. */
const FORGOTTEN_MS = 60_000;

export class TtsCharacters {
  readonly #usage: SocketUsage;
  #open = 0;
  /** By the name of the context. Should upstream speak them all the same, they count after all. */
  readonly #refused = new BriefMap<Refused>();

  constructor(usage: SocketUsage) {
    this.#usage = usage;
  }

  /** Counted, or still to be. */
  get all(): number {
    return this.#usage.characters + this.#open;
  }

  /** Whether it matters which context a chunk is of, even where there is one only. */
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

  /** Upstream has done something about it, or nobody can say that it has not. */
  taken(context: TtsContext): void {
    if (context.isTaken) return;
    context.isTaken = true;
    this.#usage.characters += this.#close(context);
  }

  /** Upstream never had it. */
  dropped(context: TtsContext): void {
    this.#close(context);
  }

  /**
   * Upstream has reported an error of it.
   * @returns whether it is remembered, should it be spoken all the same
   */
  refused(context: TtsContext, nowMs: number): boolean {
    if (this.#refused.size >= REFUSED_MAX || context.id.length > NAME_MAX) {
      this.taken(context);
      return false;
    }
    this.#refused.set(context.id, { characters: this.#close(context), atMs: nowMs });
    return true;
  }

  /**
   * Audio of a context that may have ended with an error.
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

  /** @returns how many were open */
  #close(context: TtsContext): number {
    const { openCharacters } = context;
    context.openCharacters = 0;
    this.#open -= openCharacters;
    return openCharacters;
  }
}
