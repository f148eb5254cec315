// A list of what is open at the moment, with adding and removing at constant cost and without garbage.
//
// A Set or Map that is constantly filled and emptied allocates a new hash table every few dozen entries, and in V8 every old table points
// to its successor. Once one of them is in the old generation, it keeps all later ones alive until that generation is next collected:
// requests long over made up a third of the memory and a quarter of the CPU time of a busy broker.

/** Belongs to one list at a time. */
export interface Listed {
  /** Its index in the list; -1 = in no list. Only the list writes it. */
  place: number;
}

export class LiveList<T extends Listed> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    if (item.place !== -1) return;
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** Does nothing if the item is not listed. */
  delete(item: T): void {
    const { place } = item;
    if (place === -1 || this.#items[place] !== item) return;
    item.place = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#items[place] = last;
    last.place = place;
  }

  /** The first that fits, by walking the list. */
  find(fits: (item: T) => boolean): T | undefined {
    return this.#items.find(fits);
  }

  /** A copy, in no particular order: items may be removed while it is walked. */
  all(): readonly T[] {
    return [...this.#items];
  }
}
