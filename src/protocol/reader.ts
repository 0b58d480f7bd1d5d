import { type Uuid, uuidFromBytes, ZERO_UUID } from '../base/uuid.ts';
import { ProtocolDecodeError } from './protocol-errors.ts';
import { decodeText, type RecentTexts } from './recent-texts.ts';
import type { RawTaggedField } from './tagged-fields.ts';

export const MAX_ARRAY_ELEMENTS = 1_000_000;
/** Of one struct. */
export const MAX_TAGGED_FIELDS = 10_000;
/** What the elements of all arrays of one message may take as objects: many times their size on the wire. */
export const MAX_HEAP_BYTES_PER_MESSAGE = 64 * 1024 * 1024;
/** About what an unknown tagged field takes: an object with a view. */
const TAGGED_FIELD_HEAP_BYTES = 192;

const TWO_TO_32 = 0x1_0000_0000;
/** Upper halves of an int64 whose number is exact: -2^53 ≤ n < 2^53. */
const SAFE_UPPER = 0x20_0000;
const EMPTY = Buffer.alloc(0);

/**
 * Reads the primitives of the protocol from `at` on. Everything is checked against `end` before it is touched or
 * allocated; what does not fit is a {@link ProtocolDecodeError}. Byte fields are views into the given bytes.
 */
export class Reader {
  at: number;
  #end: number;
  #bytes: Buffer;
  /** From here on the bytes are counted where one is told of. */
  #origin = 0;
  readonly #texts: RecentTexts | undefined;
  #heapBytesLeft = MAX_HEAP_BYTES_PER_MESSAGE;

  /** `texts`, where given, knows those that come again. */
  constructor(bytes: Uint8Array, at = 0, end = bytes.length, texts?: RecentTexts) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.#end = end;
    this.#texts = texts;
  }

  /** Begins anew, `at` bytes into those from `from` to `end`. */
  begin(bytes: Buffer, from: number, end: number, at: number): void {
    this.#bytes = bytes;
    this.#origin = from;
    this.at = from + at;
    this.#end = end;
    this.#heapBytesLeft = MAX_HEAP_BYTES_PER_MESSAGE;
  }

  bool(): boolean {
    return this.int8() !== 0;
  }

  int8(): number {
    const at = this.#take(1);
    return (this.#bytes[at]! << 24) >> 24;
  }

  int16(): number {
    const at = this.#take(2);
    const bytes = this.#bytes;
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16)) >> 16;
  }

  uint16(): number {
    const at = this.#take(2);
    const bytes = this.#bytes;
    return (bytes[at]! << 8) | bytes[at + 1]!;
  }

  int32(): number {
    const at = this.#take(4);
    const bytes = this.#bytes;
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }

  /** All 64 bits. */
  int64(): bigint {
    const upper = this.int32();
    const lower = this.int32();
    if (upper === -1 && lower === -1) return -1n;
    // Most are small or -1, and a bigint from a number is cheaper than one from two halves.
    if (upper >= -SAFE_UPPER && upper < SAFE_UPPER) return BigInt(upper * TWO_TO_32 + (lower >>> 0));
    return (BigInt(upper) << 32n) | BigInt(lower >>> 0);
  }

  /** An int64 as a number; refused from ±2^53 on. */
  offset(): number {
    const upper = this.int32();
    const lower = this.int32();
    const value = upper * TWO_TO_32 + (lower >>> 0);
    if (!Number.isSafeInteger(value)) this.fail('an offset or size beyond 2^53');
    return value;
  }

  float64(): number {
    return this.#bytes.readDoubleBE(this.#take(8));
  }

  uuid(): Uuid {
    const at = this.#take(16);
    return this.#isZero(at, at + 16) ? ZERO_UUID : uuidFromBytes(this.#bytes, at);
  }

  /** Unsigned, at most 32 bits. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#take(1)]!;
      if (shift === 28 && byte > 0x0f) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    return this.fail('a varint of more than 32 bits');
  }

  string(): string {
    return this.#text(this.int16()) ?? this.failNull();
  }

  nullableString(): string | null {
    return this.#text(this.int16());
  }

  compactString(): string {
    return this.#text(this.uvarint() - 1) ?? this.failNull();
  }

  compactNullableString(): string | null {
    return this.#text(this.uvarint() - 1);
  }

  bytes(): Uint8Array {
    return this.#view(this.int32()) ?? this.failNull();
  }

  nullableBytes(): Uint8Array | null {
    return this.#view(this.int32());
  }

  compactBytes(): Uint8Array {
    return this.#view(this.uvarint() - 1) ?? this.failNull();
  }

  compactNullableBytes(): Uint8Array | null {
    return this.#view(this.uvarint() - 1);
  }

  /** The count of an array; -1 for null. Elements take at least `minBytes` each here, and `heapBytes` as objects. */
  nullableArrayLength(minBytes: number, heapBytes: number): number {
    return this.#count(this.int32(), minBytes, heapBytes);
  }

  arrayLength(minBytes: number, heapBytes: number): number {
    const count = this.#count(this.int32(), minBytes, heapBytes);
    return count >= 0 ? count : this.failNull();
  }

  compactNullableArrayLength(minBytes: number, heapBytes: number): number {
    return this.#count(this.uvarint() - 1, minBytes, heapBytes);
  }

  compactArrayLength(minBytes: number, heapBytes: number): number {
    const count = this.#count(this.uvarint() - 1, minBytes, heapBytes);
    return count >= 0 ? count : this.failNull();
  }

  /** Whether a nullable struct is there. */
  structFollows(): boolean {
    const mark = this.int8();
    if (mark === 1) return true;
    return mark < 0 ? false : this.fail(`a struct marked with ${mark}`);
  }

  /** The same of a struct that is a tagged field. */
  taggedStructFollows(): boolean {
    const mark = this.uvarint();
    return mark <= 1 ? mark === 1 : this.fail(`a struct marked with ${mark}`);
  }

  /** How many tagged fields follow. */
  taggedFieldCount(): number {
    const count = this.uvarint();
    if (count > MAX_TAGGED_FIELDS) this.fail(`${count} tagged fields`);
    if (count * 2 > this.#end - this.at) this.fail(`${count} tagged fields in ${this.#end - this.at} bytes`);
    return count;
  }

  /** The size in bytes of a tagged field: checked against what is left. */
  taggedFieldSize(): number {
    const size = this.uvarint();
    if (size > this.#end - this.at) this.fail(`a tagged field of ${size} bytes, ${this.#end - this.at} left`);
    return size;
  }

  /** After a known tagged field that had to end at `expected`. */
  endTaggedField(expected: number): void {
    if (this.at !== expected) this.fail('a tagged field of another size than it says');
  }

  /** A tagged field that the schema does not know, to be kept. */
  rawTaggedField(tag: number, size: number, kept: RawTaggedField[] | undefined): RawTaggedField[] {
    this.#spend(TAGGED_FIELD_HEAP_BYTES);
    const fields = kept ?? [];
    fields.push({ tag, bytes: this.#view(size) ?? EMPTY });
    return fields;
  }

  skip(size: number): void {
    this.#take(size);
  }

  /** Throws unless everything was read. */
  finish(): void {
    if (this.at !== this.#end) this.fail(`${this.#end - this.at} bytes too many`);
  }

  failNull(): never {
    return this.fail('null where null is not allowed');
  }

  fail(what: string): never {
    throw new ProtocolDecodeError(`${what} (at byte ${this.at - this.#origin})`);
  }

  #take(size: number): number {
    const at = this.at;
    if (size > this.#end - at) this.fail(`${size} bytes expected, ${this.#end - at} left`);
    this.at = at + size;
    return at;
  }

  #count(count: number, minBytes: number, heapBytes: number): number {
    if (count < 0) return count === -1 ? -1 : this.fail(`an array of ${count} elements`);
    if (count > MAX_ARRAY_ELEMENTS) this.fail(`an array of ${count} elements`);
    if (count * minBytes > this.#end - this.at) {
      this.fail(`an array of ${count} elements in ${this.#end - this.at} bytes`);
    }
    this.#spend(count * heapBytes);
    return count;
  }

  #spend(heapBytes: number): void {
    this.#heapBytesLeft -= heapBytes;
    if (this.#heapBytesLeft < 0)
      this.fail(`more values than ${MAX_HEAP_BYTES_PER_MESSAGE} bytes of memory hold`);
  }

  #text(size: number): string | null {
    if (size <= 0) return this.#emptyOrNull(size, '');
    const at = this.#take(size);
    const texts = this.#texts;
    if (texts !== undefined) return texts.read(this.#bytes, at, at + size);
    return decodeText(this.#bytes, at, at + size);
  }

  #view(size: number): Uint8Array | null {
    if (size <= 0) return this.#emptyOrNull(size, EMPTY);
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }

  #emptyOrNull<T>(size: number, empty: T): T | null {
    if (size === 0) return empty;
    return size === -1 ? null : this.fail(`a length of ${size}`);
  }

  #isZero(from: number, to: number): boolean {
    for (let at = from; at < to; at++) if (this.#bytes[at] !== 0) return false;
    return true;
  }
}
