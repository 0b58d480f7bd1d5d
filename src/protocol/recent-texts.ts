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
 * Short ASCII texts that were read lately: clients name the same groups, members and topics again and again, and a text
 * that is known needs neither a call into the decoder nor a new string, whose hash has to be computed for each look-up
 * in a map. Holds at most 1024 of them; a newer one takes the place of another with the same hash.
 */
export class RecentTexts {
  readonly #texts: string[] = new Array<string>(SLOTS).fill('');

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
    const known = this.#texts[slot]!;
    if (known.length === size && isText(known, bytes, from)) return known;
    const text = decodeText(bytes, from, to);
    if (isAscii(bytes, from, to)) this.#texts[slot] = text;
    return text;
  }
}

function isText(text: string, bytes: Buffer, from: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[from + index]) return false;
  }
  return true;
}

function isAscii(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at]! > 0x7f) return false;
  return true;
}
