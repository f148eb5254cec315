// The Cartesia API keys. Only in this module does a key exist as text: it leaves only inside the header lists that are handed to the HTTP
// client.
import type { Secret } from '../config/secret.ts';

/** One key of the ring, without the key. */
export interface RingKey {
  /** 1-based place in the configuration, by which logs and alarms refer to it. */
  readonly position: number;
  /**
   * All request headers of a mint, as the flat list of names and values that undici writes unchanged. Shared: never modify.
   * @param version `YYYY-MM-DD`
   */
  headers(version: string): string[];
  /** Appends the credential and the version to a flat list of names and values; last, so that nothing before overrides them. */
  sign(headers: string[], version: string): void;
}

export interface KeyRing {
  readonly size: number;
  /** Number of keys that are not set aside. */
  readonly working: number;
  /** The next key in turn, skipping those set aside; if all are, the one set aside longest ago. `null`: there is no key. */
  pick(): RingKey | null;
  /**
   * Upstream refused this key (401 or 403): sets it aside, by default for a minute, so that the others carry the load.
   * @returns whether the key is in use; `false`: it was replaced while the request was under way
   */
  refused(key: RingKey): boolean;
  /** Upstream accepted this key: it is no longer set aside. */
  accepted(key: RingKey): void;
  /** Whether a text that came from upstream contains one of our keys. Such a text must not be passed on. */
  isRevealedBy(text: string): boolean;
  /** Replaces the keys. A key that stays keeps its standing; requests begun with a removed key complete with it. */
  renew(secrets: readonly Secret[]): void;
}

export interface KeyRingOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly setAsideMs?: number;
}

/** Callers may choose the version (policy `fill`), so the number of header lists kept for each key is bounded. */
const VERSIONS_KEPT = 16;
/** Keys no longer in use that a response may still contain: what upstream sends is searched for them, too. */
const RETIRED_KEPT = 16;
// RFC 9110 §5.5, narrowed to visible ASCII. Anything else in a key is a configuration mistake, such as a line break in the file.
const HEADER_SAFE = /^[\x21-\x7e]+$/;

/** @throws Error if a key cannot be sent in a header; the message gives its position, never the key. */
export function createKeyRing(secrets: readonly Secret[], options: KeyRingOptions): KeyRing {
  const { now, setAsideMs = 60_000 } = options;
  let keys = secrets.map((secret, index) => new Key(secret.reveal(), index + 1));
  let retired: readonly Key[] = [];
  let turn = 0;

  return {
    get size() {
      return keys.length;
    },
    get working() {
      const at = now();
      return keys.filter((key) => key.asideUntilMs <= at).length;
    },
    pick() {
      const only = keys[0];
      if (keys.length <= 1) return only ?? null;
      const at = now();
      let longest: Key | null = null;
      for (let step = 0; step < keys.length; step++) {
        const key = keys[(turn + step) % keys.length];
        if (key === undefined) continue;
        if (key.asideUntilMs <= at) {
          turn = (turn + step + 1) % keys.length;
          return key;
        }
        if (longest === null || key.asideUntilMs < longest.asideUntilMs) longest = key;
      }
      return longest;
    },
    refused(key) {
      if (!(key instanceof Key)) return false;
      key.asideUntilMs = now() + setAsideMs;
      return keys.includes(key);
    },
    accepted(key) {
      if (key instanceof Key) key.asideUntilMs = Number.NEGATIVE_INFINITY;
    },
    isRevealedBy(text) {
      return keys.some((key) => key.isIn(text)) || retired.some((key) => key.isIn(text));
    },
    renew(next) {
      const before = keys;
      keys = next.map((secret, index) => {
        const key = new Key(secret.reveal(), index + 1);
        return before.find((known) => known.takesThePlaceOf(key)) ?? key;
      });
      turn = 0;
      retired = [...before.filter((key) => !keys.includes(key)), ...retired].slice(0, RETIRED_KEPT);
    },
  };
}

class Key implements RingKey {
  position: number;
  asideUntilMs = Number.NEGATIVE_INFINITY;
  readonly #text: string;
  readonly #headers = new Map<string, string[]>();

  constructor(text: string, position: number) {
    if (!HEADER_SAFE.test(text)) {
      throw new Error(`API key number ${position} has characters that cannot be sent in a header`);
    }
    this.#text = text;
    this.position = position;
  }

  headers(version: string): string[] {
    const kept = this.#headers.get(version);
    if (kept !== undefined) return kept;
    const list = [
      'authorization',
      `Bearer ${this.#text}`,
      'cartesia-version',
      version,
      'content-type',
      'application/json',
      'accept',
      'application/json',
      // The response is small and is parsed as received; without this field any coding would be acceptable (RFC 9110 §12.5.3).
      'accept-encoding',
      'identity',
      'user-agent',
      'cartesia-broker',
    ];
    if (this.#headers.size < VERSIONS_KEPT) this.#headers.set(version, list);
    return list;
  }

  sign(headers: string[], version: string): void {
    headers.push('authorization', `Bearer ${this.#text}`, 'cartesia-version', version);
  }

  /** If `other` is the same key, takes over its position; this key's standing stays. */
  takesThePlaceOf(other: Key): boolean {
    if (this.#text !== other.#text) return false;
    this.position = other.position;
    return true;
  }

  isIn(text: string): boolean {
    return text.includes(this.#text);
  }
}
