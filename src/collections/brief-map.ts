// A map that is empty most of the time, and costs next to nothing then.
//
// Its hash table is created with the first entry and released with the last: thousands of silent sockets need none, and a table that is
// constantly filled and emptied leaves a chain of old ones behind (see live-list.ts).

export class BriefMap<V> {
  #table: Map<string, V> | null = null;

  get size(): number {
    return this.#table === null ? 0 : this.#table.size;
  }

  get(key: string): V | undefined {
    return this.#table?.get(key);
  }

  set(key: string, value: V): void {
    this.#table ??= new Map();
    this.#table.set(key, value);
  }

  /** @returns whether there was one */
  delete(key: string): boolean {
    if (this.#table === null || !this.#table.delete(key)) return false;
    if (this.#table.size === 0) this.#table = null;
    return true;
  }

  /** In insertion order. A copy: entries may be removed while it is walked. */
  keys(): readonly string[] {
    return this.#table === null ? [] : [...this.#table.keys()];
  }

  values(): readonly V[] {
    return this.#table === null ? [] : [...this.#table.values()];
  }
}
