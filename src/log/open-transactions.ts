/** Closed ones are taken out of the list when they are more than the open ones and this. */
const CLOSED_KEPT = 64;

/**
 * The first offsets of a partition's open transactions. They come in order and mostly leave in order: a list with a head,
 * in which those that have left behind it are marked until they are many.
 */
export class OpenTransactions {
  /** Ascending; `-1 - offset` for one that is closed. */
  #offsets: number[] = [];
  /** All before are closed. */
  #head = 0;
  #open = 0;

  get size(): number {
    return this.#open;
  }

  /** The lowest; undefined without any. */
  get first(): number | undefined {
    return this.#offsets[this.#head];
  }

  /** Idempotent. */
  add(offset: number): void {
    const at = this.#placeOf(offset);
    const there = this.#offsets[at];
    if (there === offset) return;
    this.#open += 1;
    if (there === undefined) {
      this.#offsets.push(offset);
    } else {
      this.#offsets.splice(at, offsetOf(there) === offset ? 1 : 0, offset);
      if (at < this.#head) this.#head = at;
    }
  }

  /** Nothing happens where it is not open. */
  delete(offset: number): void {
    const at = offset === this.first ? this.#head : this.#placeOf(offset);
    if (this.#offsets[at] !== offset) return;
    this.#offsets[at] = -1 - offset;
    this.#open -= 1;
    while (this.#head < this.#offsets.length && this.#offsets[this.#head]! < 0) this.#head += 1;
    if (this.#offsets.length > 2 * this.#open + CLOSED_KEPT) this.#dropClosed();
  }

  #dropClosed(): void {
    this.#offsets = this.#offsets.filter((offset) => offset >= 0);
    this.#head = 0;
  }

  /** Where the offset stands, or is to stand. */
  #placeOf(offset: number): number {
    let high = this.#offsets.length;
    if (high === 0 || offsetOf(this.#offsets[high - 1]!) < offset) return high;
    let low = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (offsetOf(this.#offsets[middle]!) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const offsetOf = (kept: number): number => (kept < 0 ? -1 - kept : kept);
