// A hash table of what is open, by id.
//
// A Map that is constantly filled and emptied leaves a chain of old hash tables behind, with all they held (see live-list.ts).
// Here entries with the same hash are linked to each other: removing one unlinks it, and nothing is allocated unless the table grows.

/** Belongs to one table at a time. */
export interface Named<T> {
  readonly id: string;
  /** The next entry in the same slot. Only the table writes it. */
  next: T | null;
}

const SLOTS = 64;
/** Characters hashed, from the end of the id: ids differ there, since they are counted or random. */
const HASHED = 12;

export class NameTable<T extends Named<T>> {
  #slots: (T | null)[] = Array.from({ length: SLOTS }, () => null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: string): T | undefined {
    let entry = this.#slots[this.#slotOf(id)] ?? null;
    while (entry !== null && entry.id !== id) entry = entry.next;
    return entry ?? undefined;
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  /** The entry's id must not be in the table yet. */
  add(entry: T): void {
    if (this.#size >= 2 * this.#slots.length) this.#grow();
    this.#size += 1;
    this.#hook(entry);
  }

  /** Does nothing if the entry is not in the table. */
  delete(entry: T): void {
    const slot = this.#slotOf(entry.id);
    let before: T | null = null;
    let at = this.#slots[slot] ?? null;
    while (at !== null && at !== entry) {
      before = at;
      at = at.next;
    }
    if (at === null) return;
    if (before === null) this.#slots[slot] = entry.next;
    else before.next = entry.next;
    entry.next = null;
    this.#size -= 1;
  }

  /** A copy, in no particular order: entries may be removed while it is walked. */
  all(): readonly T[] {
    const all: T[] = [];
    for (let entry of this.#slots)
      while (entry !== null) {
        all.push(entry);
        entry = entry.next;
      }
    return all;
  }

  #hook(entry: T): void {
    const slot = this.#slotOf(entry.id);
    entry.next = this.#slots[slot] ?? null;
    this.#slots[slot] = entry;
  }

  #grow(): void {
    const all = this.all();
    this.#slots = Array.from({ length: 4 * this.#slots.length }, () => null);
    for (const entry of all) this.#hook(entry);
  }

  /** FNV-1a over the end of the id. */
  #slotOf(id: string): number {
    let hash = 0x811c9dc5;
    for (let at = Math.max(0, id.length - HASHED); at < id.length; at += 1)
      hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
    return (hash ^ (hash >>> 15)) & (this.#slots.length - 1);
  }
}
