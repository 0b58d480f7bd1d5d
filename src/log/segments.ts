import { assert } from '../base/assert.ts';
import type { Segment } from './segment.ts';

/** The segments of a log by ascending base offset; the last one is active. Never empty once the log is open. */
export class Segments {
  #all: Segment[] = [];

  get all(): readonly Segment[] {
    return this.#all;
  }

  get count(): number {
    return this.#all.length;
  }

  get first(): Segment {
    return this.#all[0]!;
  }

  get active(): Segment {
    return this.#all[this.#all.length - 1]!;
  }

  get sizeInBytes(): number {
    let size = 0;
    for (const segment of this.#all) size += segment.sizeInBytes;
    return size;
  }

  add(segment: Segment): void {
    const last = this.#all.at(-1);
    assert(last === undefined || segment.baseOffset > last.baseOffset, 'segments are added in order');
    // An array that grows by one takes room for seventeen.
    if (last === undefined) this.#all = [segment];
    else this.#all.push(segment);
  }

  /** The position in `all` of the last segment that begins at or before `offset`; -1 where none does. */
  floor(offset: number): number {
    let low = 0;
    let high = this.#all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#all[middle]!.baseOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Where the segment begins that holds `offset`, or would. */
  baseOf(offset: number): number {
    return this.#all[this.floor(offset)]?.baseOffset ?? offset;
  }

  at(position: number): Segment | undefined {
    return this.#all[position];
  }

  /** Takes the oldest `count` out. */
  removeFirst(count: number): Segment[] {
    return this.#all.splice(0, count);
  }

  /** Takes those out that begin above `offset`. */
  removeAbove(offset: number): Segment[] {
    return this.#all.splice(this.floor(offset) + 1);
  }

  remove(segment: Segment): void {
    const at = this.#all.indexOf(segment);
    if (at >= 0) this.#all.splice(at, 1);
  }

  /** Puts `fresh` where `old`, a run of neighbours, was. */
  replace(old: readonly Segment[], fresh: readonly Segment[]): void {
    const at = this.#all.indexOf(old[0]!);
    assert(
      at >= 0 && old.every((segment, index) => this.#all[at + index] === segment),
      'only neighbours are replaced',
    );
    this.#all.splice(at, old.length, ...fresh);
  }

  removeAll(): Segment[] {
    return this.#all.splice(0);
  }
}
