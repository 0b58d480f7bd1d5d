/** A power of two. */
const SLOTS = 1024;
/** Longer ones are rarely said twice, and looking them up costs more than decoding them. */
const TEXT_BYTES_MAX = 96;
const HASHED_BYTES = 16;

/** Node's own decoder behind `toString('utf8', …)`, without the look-up of the encoding's name. */
interface Utf8Slicing {
  utf8Slice(start: number, end: number): string;
}

export function decodeText(bytes: Buffer, from: number, to: number): string {
  return (bytes as Buffer & Utf8Slicing).utf8Slice(from, to);
}

/**
 * Short texts that were read lately, by their bytes: clients name the same groups, members and topics again and again,
 * and a text that is known needs neither a call into the decoder nor a new string, whose hash has to be computed for each
 * look-up in a map. Holds at most 1024 of them; a newer one takes the place of another with the same hash.
 */
export class RecentTexts {
  readonly #texts: string[] = new Array<string>(SLOTS).fill('');
  /** What they were read from: comparing bytes with bytes is faster than with the characters of a string. */
  readonly #bytes = new Uint8Array(SLOTS * TEXT_BYTES_MAX);
  readonly #sizes = new Uint8Array(SLOTS);

  /** The text in these bytes, decoded as UTF-8. */
  read(bytes: Buffer, from: number, to: number): string {
    const size = to - from;
    if (size > TEXT_BYTES_MAX) return decodeText(bytes, from, to);
    let hash = size;
    // What tells names apart is mostly at their end.
    for (let at = size > HASHED_BYTES ? to - HASHED_BYTES : from; at < to; at++) {
      hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
    }
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    if (this.#sizes[slot] === size && this.#isKnown(slot, bytes, from, size)) return this.#texts[slot]!;
    const text = decodeText(bytes, from, to);
    const known = this.#bytes;
    const start = slot * TEXT_BYTES_MAX;
    for (let index = 0; index < size; index++) known[start + index] = bytes[from + index]!;
    this.#sizes[slot] = size;
    this.#texts[slot] = text;
    return text;
  }

  #isKnown(slot: number, bytes: Buffer, from: number, size: number): boolean {
    const known = this.#bytes;
    const start = slot * TEXT_BYTES_MAX;
    for (let index = 0; index < size; index++) if (known[start + index] !== bytes[from + index]) return false;
    return true;
  }
}
