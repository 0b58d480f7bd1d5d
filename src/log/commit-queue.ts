/**
 * Appends that wait for their bytes: first to be in the file, then, where flush.messages or flush.ms asks for it, to be
 * synced. Runs their callbacks in the order of the appends. Kept as parallel arrays: nothing is allocated per append but
 * what the arrays grow by, and nothing at all where appends wait one at a time.
 */
export class CommitQueue {
  #ends: number[] = [];
  #dones: ((error: Error | undefined) => void)[] = [];
  #head = 0;

  get length(): number {
    return this.#ends.length - this.#head;
  }

  /** `endOffset`: what the log end must reach before `done` runs. */
  push(endOffset: number, done: (error: Error | undefined) => void): void {
    this.#ends.push(endOffset);
    this.#dones.push(done);
  }

  /** Hands all over to `other`, behind what waits there. */
  moveTo(other: CommitQueue): void {
    for (let at = this.#head; at < this.#ends.length; at += 1) other.push(this.#ends[at]!, this.#dones[at]!);
    this.#empty();
  }

  /** Runs the callbacks of all whose end is at or below `logEndOffset`. A callback may append again. */
  release(logEndOffset: number): void {
    while (this.#head < this.#ends.length && this.#ends[this.#head]! <= logEndOffset) {
      const done = this.#dones[this.#head]!;
      this.#head += 1;
      done(undefined);
    }
    if (this.#head > 0 && this.#head === this.#ends.length) this.#empty();
  }

  /** An array keeps its memory only where its members are popped; many would keep too much of it. */
  #empty(): void {
    if (this.#ends.length === 1) {
      this.#ends.pop();
      this.#dones.pop();
    } else {
      this.#ends = [];
      this.#dones = [];
    }
    this.#head = 0;
  }

  /** Fails all whose end is above `logEndOffset`. */
  failAbove(logEndOffset: number, error: Error): void {
    const ends = this.#ends.slice(this.#head);
    const dones = this.#dones.slice(this.#head);
    this.#ends = [];
    this.#dones = [];
    this.#head = 0;
    const failed: ((error: Error | undefined) => void)[] = [];
    ends.forEach((end, at) => {
      if (end > logEndOffset) failed.push(dones[at]!);
      else this.push(end, dones[at]!);
    });
    for (const done of failed) done(error);
  }
}
