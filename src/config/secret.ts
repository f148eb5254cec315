// A secret that cannot be printed by accident.
import { inspect } from 'node:util';

/**
 * Holds a secret text. Every way of turning it into text prints `[secret]`; only `reveal()` gives it out, so that
 * a search for `reveal(` finds every place where a secret is used.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

/** A secret that may be renewed while it is in use: read `current` each time it is needed. */
export interface CurrentSecret {
  readonly current: Secret;
}
