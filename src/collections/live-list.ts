// What is open at the moment, as a list that costs nothing to enter and to leave.
//
// A Set or a Map that is filled and emptied all the time makes a new hash table every few dozen entries, and V8 lets every old table point
// to the one that followed it. As soon as one of them has grown old, all that came later are kept alive by it until the next collection
// of the old generation: requests that are long over made up a third of the memory and a quarter of the CPU time of a busy broker.

/** Belongs to one list at a time. */
export interface Listed {
  /** Where it stands; -1 = in no list. Only the list writes it. */
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

  /** Nothing happens where it is not listed. */
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

  /** A copy, in no order: entries may leave while it is walked. */
  all(): readonly T[] {
    return [...this.#items];
  }
}
