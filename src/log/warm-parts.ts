/** The age of a part is that of its first byte: one that grew without end would seem older, or younger, than it is. */
const PART_BYTES_MAX = 32 * 1024 * 1024;
const PART_TRAFFIC_MAX = 128 * 1024 * 1024;
/** Beyond it the oldest part is forgotten. */
const PARTS_MAX = 16;

interface Part {
  readonly from: number;
  to: number;
  /** The process's traffic when its first byte was touched. */
  readonly at: number;
}

/**
 * The parts of one file that this process wrote or read lately, with the traffic of the process at that time: what was
 * touched within the last so many bytes of traffic is probably still in the page cache.
 */
export class WarmParts {
  // In the order in which they were begun.
  #parts: Part[] = [];

  /** Bytes from `from` to `to` are in memory now, at `traffic`; before `oldest` all is forgotten. */
  touched(from: number, to: number, traffic: number, oldest: number): void {
    for (let index = this.#parts.length - 1; index >= 0; index -= 1) {
      const part = this.#parts[index]!;
      if (from !== part.to || to - part.from > PART_BYTES_MAX || traffic - part.at > PART_TRAFFIC_MAX)
        continue;
      part.to = to;
      return;
    }
    this.#forget(oldest);
    const part = { from, to, at: traffic };
    // An array that grows by one takes room for seventeen.
    if (this.#parts.length === 0) this.#parts = [part];
    else this.#parts.push(part);
    if (this.#parts.length > PARTS_MAX) this.#parts.shift();
  }

  /** How far the bytes from `from` on are in memory, at most up to `to`. */
  reach(from: number, to: number, oldest: number): number {
    this.#forget(oldest);
    let reached = from;
    for (let isFurther = true; isFurther && reached < to; ) {
      isFurther = false;
      for (const part of this.#parts) {
        if (part.from > reached || part.to <= reached) continue;
        reached = part.to;
        isFurther = true;
      }
    }
    return Math.min(reached, to);
  }

  /** The file was cut. */
  cutAt(position: number): void {
    for (const part of this.#parts.splice(0)) {
      if (part.from < position) this.#parts.push({ ...part, to: Math.min(part.to, position) });
    }
  }

  #forget(oldest: number): void {
    while (this.#parts.length > 0 && this.#parts[0]!.at < oldest) this.#parts.shift();
  }
}
