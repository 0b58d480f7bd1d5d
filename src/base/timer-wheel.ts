import { assert } from './assert.ts';

/**
 * Deadlines in a hierarchy of wheels: four of 256 slots, the first with a tick of 1 ms, each next one 256 times coarser.
 * Adding and removing cost a few nanoseconds whatever the number of entries; an entry moves down at most three times.
 */

const SLOT_BITS = 8;
const SLOTS = 1 << SLOT_BITS;
const SLOT_MASK = SLOTS - 1;
const LEVELS = 4;
/** Ticks that each level spans: 256 ms, 65 s, 4.6 h, 49 days. Later deadlines go round the last wheel. */
const SPANS = [2 ** 8, 2 ** 16, 2 ** 24, 2 ** 32] as const;
const TICKS = [1, 2 ** 8, 2 ** 16, 2 ** 24] as const;

/** An entry of the wheel; its owner keeps it to remove it. Subclass it to carry what shall happen. */
export class WheelEntry {
  /** The tick (whole ms) at which it is due. */
  dueTick = 0;
  slot = -1;
  previous: WheelEntry = this;
  next: WheelEntry = this;
}

export class TimerWheel<E extends WheelEntry = WheelEntry> {
  /** Ring lists, the head being an entry that is never due; level by level. */
  readonly #heads: WheelEntry[] = [];
  /** One bit for each slot that has entries. */
  readonly #occupied = new Uint32Array((LEVELS * SLOTS) / 32);
  #now: number;
  #size = 0;

  /** `nowMs` is where the wheel stands; it goes on with {@link advance}. */
  constructor(nowMs: number) {
    this.#now = Math.floor(nowMs);
    for (let i = 0; i < LEVELS * SLOTS; i++) this.#heads.push(new WheelEntry());
  }

  get size(): number {
    return this.#size;
  }

  /** Adds an entry that is in no wheel; a deadline in the past is due with the next {@link advance} that moves on. */
  add(entry: E, dueMs: number): void {
    assert(!Number.isNaN(dueMs), 'a deadline is not a number');
    entry.dueTick = Math.max(Math.ceil(dueMs), this.#now + 1);
    this.#place(entry);
    this.#size++;
  }

  /** Takes the entry out; false when it is not in the wheel (it was due, or was removed before). */
  remove(entry: E): boolean {
    if (entry.slot < 0) return false;
    this.#unlink(entry);
    this.#size--;
    return true;
  }

  /**
   * The earliest ms at which {@link advance} has something to do, at most the first deadline and exactly it within the
   * next 256 ms; Infinity when the wheel is empty.
   */
  nextMs(): number {
    if (this.#size === 0) return Number.POSITIVE_INFINITY;
    let earliest = Number.POSITIVE_INFINITY;
    for (let level = 0; level < LEVELS; level++) {
      const tick = TICKS[level] as number;
      const position = Math.floor(this.#now / tick);
      const distance = this.#distance(level, position & SLOT_MASK);
      if (distance > 0) earliest = Math.min(earliest, (position + distance) * tick);
    }
    return earliest;
  }

  /** Moves to `nowMs` and hands over what is due until there, by deadline. `due` may add and remove entries. */
  advance(nowMs: number, due: (entry: E) => void): void {
    const until = Math.floor(nowMs);
    while (this.#now < until) {
      const next = this.nextMs();
      if (next > until) {
        this.#now = until;
        return;
      }
      this.#now = next;
      for (let level = LEVELS - 1; level > 0; level--) this.#cascade(level);
      this.#expire(due);
    }
  }

  /**
   * Moves towards `nowMs` as far as nothing is due and nothing has to move down. To be called before an {@link add}
   * that comes long after the last {@link advance}: the new entry then starts in as fine a wheel as it can.
   */
  catchUp(nowMs: number): void {
    const until = Math.floor(nowMs);
    if (until > this.#now) this.#now = Math.max(this.#now, Math.min(until, this.nextMs() - 1));
  }

  /** Steps from `from` to the next slot of a level that has entries, 1 to 256; 0 when none has. */
  #distance(level: number, from: number): number {
    const base = level * SLOTS;
    for (let step = 1; step <= SLOTS; ) {
      const slot = (from + step) & SLOT_MASK;
      const word = (this.#occupied[(base + slot) >>> 5] as number) >>> (slot & 31);
      if (word === 0) {
        step += 32 - (slot & 31);
        continue;
      }
      const found = step + 31 - Math.clz32(word & -word);
      return found <= SLOTS ? found : 0;
    }
    return 0;
  }

  #place(entry: WheelEntry): void {
    const { dueTick } = entry;
    const delta = dueTick - this.#now;
    let level = 0;
    while (level < LEVELS - 1 && delta >= (SPANS[level] as number)) level++;
    const tick = TICKS[level] as number;
    let position = Math.floor(dueTick / tick);
    // Beyond the last wheel: as far away as it reaches, to be placed anew from there.
    if (delta >= (SPANS[LEVELS - 1] as number)) position = Math.floor(this.#now / tick) + SLOTS - 1;
    const slot = level * SLOTS + (position % SLOTS);
    const head = this.#heads[slot] as WheelEntry;
    entry.slot = slot;
    entry.previous = head.previous;
    entry.next = head;
    head.previous.next = entry;
    head.previous = entry;
    this.#occupied[slot >>> 5] = (this.#occupied[slot >>> 5] as number) | (1 << (slot & 31));
  }

  #unlink(entry: WheelEntry): void {
    const { slot, previous, next } = entry;
    previous.next = next;
    next.previous = previous;
    if (previous === next) {
      this.#occupied[slot >>> 5] = (this.#occupied[slot >>> 5] as number) & ~(1 << (slot & 31));
    }
    entry.slot = -1;
    entry.previous = entry;
    entry.next = entry;
  }

  /** Places the entries of the slot that a coarse wheel stands on into the finer ones. */
  #cascade(level: number): void {
    const tick = TICKS[level] as number;
    if (this.#now % tick !== 0) return;
    const slot = level * SLOTS + (Math.floor(this.#now / tick) % SLOTS);
    const head = this.#heads[slot] as WheelEntry;
    let left = 0;
    for (let entry = head.next; entry !== head; entry = entry.next) left++;
    for (; left > 0; left--) {
      const entry = head.next;
      this.#unlink(entry);
      this.#place(entry);
    }
  }

  #expire(due: (entry: E) => void): void {
    const head = this.#heads[this.#now & SLOT_MASK] as WheelEntry;
    while (head.next !== head) {
      const entry = head.next as E;
      this.#unlink(entry);
      this.#size--;
      due(entry);
    }
  }
}
