import { type Uuid, uuidToBytes } from '../base/uuid.ts';
import { ProtocolEncodeError } from './protocol-errors.ts';
import type { Records } from './schema.ts';
import type { RawTaggedField } from './tagged-fields.ts';

const TWO_TO_32 = 0x1_0000_0000;
const MAX_STRING_BYTES = 0x7fff;
/** Strings up to here are first tried as ASCII, in a loop that is faster than the call into the encoder. */
const SHORT_STRING = 96;
/** Records up to here are copied into the head: a chunk of their own costs more than the copy. */
const COPIED_RECORDS_BYTES = 1024;
/** Up to here bytes are copied in a loop. */
const LOOPED_BYTES_MAX = 96;
const DEFAULT_SIZE = 512;
const MAX_UVARINT_BYTES = 5;
const EMPTY = Buffer.alloc(0);

/** Where a writer takes its buffers from; what `take` gives is at least as large as asked. */
export interface BufferSource {
  take(size: number): Buffer;
  give(buffer: Buffer): void;
}

/**
 * Writes the primitives of the protocol into growing buffers. Records are not copied: they become chunks of their
 * own between the chunks written here, so they must not change until the chunks were sent. After `release` (which
 * gives pooled buffers back) the chunks are no longer valid and the writer is empty again.
 */
export class Writer {
  readonly #source: BufferSource | undefined;
  readonly #initialSize: number;
  readonly #first: Buffer;
  #buffer: Buffer;
  /** Where the next byte goes in the buffer. */
  #at = 0;
  /** What lies before is in `#chunks` already. */
  #cutAt = 0;
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #taken: Buffer[] = [];

  /** `first` is the writer's own: what fits into it takes nothing from `source`. */
  constructor(source?: BufferSource, initialSize = DEFAULT_SIZE, first: Buffer = EMPTY) {
    this.#source = source;
    this.#initialSize = initialSize;
    this.#first = first;
    this.#buffer = first;
  }

  /** Bytes written so far, records included. */
  get length(): number {
    return this.#chunkBytes + this.#at - this.#cutAt;
  }

  /** What was written, in order; the bytes of records are the very views that were given. */
  chunks(): Uint8Array[] {
    this.#cut();
    return [...this.#chunks];
  }

  /** What was written as one view where it lies in one buffer, else copied into one. */
  bytes(): Buffer {
    if (this.#chunks.length === 0) return this.#buffer.subarray(this.#cutAt, this.#at);
    const chunks = this.chunks();
    const [only] = chunks;
    if (chunks.length === 1 && Buffer.isBuffer(only)) return only;
    return Buffer.concat(chunks);
  }

  /** Copies what was written, `length` bytes, into `into` from `start` on. */
  copyTo(into: Uint8Array, start = 0): void {
    let to = start;
    for (const chunk of this.#chunks) {
      into.set(chunk, to);
      to += chunk.length;
    }
    if (this.#at - this.#cutAt <= LOOPED_BYTES_MAX) copyBytes(this.#buffer, this.#cutAt, this.#at, into, to);
    else into.set(this.#buffer.subarray(this.#cutAt, this.#at), to);
  }

  /** Forgets what was written and gives the buffers back to where they came from. */
  release(): void {
    if (this.#taken.length > 0) {
      for (const buffer of this.#taken) this.#source?.give(buffer);
      this.#taken = [];
    }
    if (this.#chunks.length > 0) this.#chunks = [];
    this.#chunkBytes = 0;
    this.#at = 0;
    this.#cutAt = 0;
    if (this.#source !== undefined) this.#buffer = this.#first;
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0);
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) this.fail(`${value} is no int8`);
    const at = this.#grow(1);
    this.#buffer[at] = value;
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) this.fail(`${value} is no int16`);
    const at = this.#grow(2);
    putInt16(this.#buffer, at, value);
  }

  uint16(value: number): void {
    if ((value & 0xffff) !== value) this.fail(`${value} is no uint16`);
    const at = this.#grow(2);
    putInt16(this.#buffer, at, value);
  }

  int32(value: number): void {
    if ((value | 0) !== value) this.fail(`${value} is no int32`);
    const at = this.#grow(4);
    putInt32(this.#buffer, at, value);
  }

  int64(value: bigint): void {
    const number = Number(value);
    if (Number.isSafeInteger(number)) {
      this.offset(number);
      return;
    }
    if (BigInt.asIntN(64, value) !== value) this.fail(`${value} is no int64`);
    const at = this.#grow(8);
    this.#buffer.writeBigInt64BE(value, at);
  }

  /** An int64 given as a number. */
  offset(value: number): void {
    if (!Number.isSafeInteger(value)) this.fail(`${value} is no offset or size`);
    const at = this.#grow(8);
    putInt32(this.#buffer, at, Math.floor(value / TWO_TO_32));
    // Conversion to 32 bits is modulo 2^32, also for negative numbers: what two's complement wants.
    putInt32(this.#buffer, at + 4, value | 0);
  }

  float64(value: number): void {
    const at = this.#grow(8);
    this.#buffer.writeDoubleBE(value, at);
  }

  uuid(value: Uuid): void {
    const at = this.#grow(16);
    uuidToBytes(value, this.#buffer, at);
  }

  /** Unsigned, at most 32 bits. */
  uvarint(value: number): void {
    const at = this.#grow(MAX_UVARINT_BYTES);
    this.#at = putUvarint(this.#buffer, at, value);
  }

  string(value: string): void {
    const at = this.#grow(2);
    if (value.length < SHORT_STRING && this.#shortAscii(value)) {
      putInt16(this.#buffer, at, value.length);
      return;
    }
    const size = this.#text(value, MAX_STRING_BYTES);
    putInt16(this.#buffer, at, size);
  }

  nullableString(value: string | null): void {
    if (value === null) this.int16(-1);
    else this.string(value);
  }

  compactString(value: string): void {
    const at = this.#grow(1);
    if (value.length < SHORT_STRING && this.#shortAscii(value)) {
      this.#buffer[at] = value.length + 1;
      return;
    }
    this.#at = at;
    const size = Buffer.byteLength(value);
    // The length is a varint, yet readers take no more than the old encoding could say.
    if (size > MAX_STRING_BYTES) throw new ProtocolEncodeError(`a string of ${size} bytes`);
    this.uvarint(size + 1);
    this.#text(value, size);
  }

  compactNullableString(value: string | null): void {
    if (value === null) this.uvarint(0);
    else this.compactString(value);
  }

  bytesField(value: Uint8Array): void {
    this.int32(value.length);
    this.#copy(value);
  }

  nullableBytes(value: Uint8Array | null): void {
    if (value === null) this.int32(-1);
    else this.bytesField(value);
  }

  compactBytes(value: Uint8Array): void {
    this.uvarint(value.length + 1);
    this.#copy(value);
  }

  compactNullableBytes(value: Uint8Array | null): void {
    if (value === null) this.uvarint(0);
    else this.compactBytes(value);
  }

  records(value: Records): void {
    this.int32(recordsSize(value));
    this.#attachRecords(value);
  }

  nullableRecords(value: Records | null): void {
    if (value === null) this.int32(-1);
    else this.records(value);
  }

  compactRecords(value: Records): void {
    this.uvarint(recordsSize(value) + 1);
    this.#attachRecords(value);
  }

  compactNullableRecords(value: Records | null): void {
    if (value === null) this.uvarint(0);
    else this.compactRecords(value);
  }

  arrayLength(count: number): void {
    this.int32(count);
  }

  compactArrayLength(count: number): void {
    this.uvarint(count + 1);
  }

  /** Bytes as they are, copied. */
  raw(bytes: Uint8Array): void {
    this.#copy(bytes);
  }

  /** Leaves four bytes for the size of the frame that begins here; the writer must be empty. */
  beginFrame(): void {
    if (this.length !== 0) throw new ProtocolEncodeError('a frame begins in an empty writer');
    this.int32(0);
  }

  /** Fills the size of the frame that `beginFrame` began. */
  endFrame(): void {
    const size = this.length - 4;
    const first = this.#chunks[0] ?? this.#buffer;
    putInt32(first, 0, size);
  }

  /** A tagged field up to its contents; `endTaggedField` wants what this returns. */
  beginTaggedField(tag: number): number {
    this.uvarint(tag);
    return this.#grow(1);
  }

  /** Fills the size of the tagged field, moving its contents where the size takes more than one byte. */
  endTaggedField(sizeAt: number): void {
    // Where the field is no longer in this buffer as one piece, its size could not be filled in.
    if (sizeAt < this.#cutAt) this.fail('records inside a tagged field');
    const size = this.#at - sizeAt - 1;
    const sizeBytes = uvarintSize(size);
    if (sizeBytes > 1) {
      const from = sizeAt + 1;
      this.#grow(sizeBytes - 1);
      this.#buffer.copyWithin(sizeAt + sizeBytes, from, from + size);
    }
    putUvarint(this.#buffer, sizeAt, size);
  }

  rawTaggedField(field: RawTaggedField): void {
    this.uvarint(field.tag);
    this.uvarint(field.bytes.length);
    this.#copy(field.bytes);
  }

  /** Writes kept tagged fields, from the `next`th on, up to the tag `limit`, which may not be among them; returns the next. */
  rawTaggedFieldsBefore(limit: number, fields: readonly RawTaggedField[], next: number): number {
    for (let index = next; index < fields.length; index++) {
      const field = fields[index]!;
      if (field.tag === limit) this.fail(`tag ${limit} is given twice`);
      if (field.tag > limit) return index;
      this.rawTaggedField(field);
    }
    return fields.length;
  }

  fail(what: string): never {
    throw new ProtocolEncodeError(what);
  }

  #take(size: number): Buffer {
    if (this.#source === undefined) return Buffer.allocUnsafe(size);
    const buffer = this.#source.take(size);
    this.#taken.push(buffer);
    return buffer;
  }

  /** Makes room for `size` bytes and gives the position of the first; positions stay as they are when the buffer moves. */
  #grow(size: number): number {
    const at = this.#at;
    if (at + size > this.#buffer.length) this.#enlarge(at + size);
    this.#at = at + size;
    return at;
  }

  #enlarge(wanted: number): void {
    const larger = this.#take(Math.max(wanted, this.#buffer.length * 2, this.#initialSize));
    this.#buffer.copy(larger, this.#cutAt, this.#cutAt, this.#at);
    this.#buffer = larger;
  }

  #cut(): void {
    if (this.#at === this.#cutAt) return;
    const chunk = this.#buffer.subarray(this.#cutAt, this.#at);
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    this.#cutAt = this.#at;
  }

  #attachRecords(value: Records): void {
    if (!(value instanceof Uint8Array)) for (const part of value) this.#attach(part);
    else this.#attach(value);
  }

  #attach(bytes: Uint8Array): void {
    if (bytes.length <= COPIED_RECORDS_BYTES) {
      this.#copy(bytes);
      return;
    }
    this.#cut();
    this.#chunks.push(bytes);
    this.#chunkBytes += bytes.length;
  }

  #copy(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** Writes the text at the end and returns its size in bytes, at most `limit`. */
  #text(value: string, limit: number): number {
    const size = Buffer.byteLength(value);
    if (size > limit) throw new ProtocolEncodeError(`a string of ${size} bytes`);
    const at = this.#grow(size);
    this.#buffer.write(value, at, size, 'utf8');
    return size;
  }

  /** Appends a short string without its length if it is ASCII; else nothing is written. */
  #shortAscii(value: string): boolean {
    const { length } = value;
    const at = this.#grow(length);
    const buffer = this.#buffer;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) {
        this.#at = at;
        return false;
      }
      buffer[at + index] = code;
    }
    return true;
  }
}

function recordsSize(value: Records): number {
  if (value instanceof Uint8Array) return value.length;
  let size = 0;
  for (const part of value) size += part.length;
  return size;
}

function putInt32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >> 24;
  into[at + 1] = value >> 16;
  into[at + 2] = value >> 8;
  into[at + 3] = value;
}

/** Four at a time: for the few bytes of most messages a call with a view costs more. */
function copyBytes(bytes: Uint8Array, start: number, end: number, into: Uint8Array, at: number): void {
  let from = start;
  let to = at;
  for (const last = end - 4; from <= last; from += 4, to += 4) {
    into[to] = bytes[from]!;
    into[to + 1] = bytes[from + 1]!;
    into[to + 2] = bytes[from + 2]!;
    into[to + 3] = bytes[from + 3]!;
  }
  while (from < end) into[to++] = bytes[from++]!;
}

function putInt16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >> 8;
  into[at + 1] = value;
}

/** Returns the position behind it. */
function putUvarint(into: Uint8Array, at: number, value: number): number {
  let to = at;
  let rest = value >>> 0;
  while (rest > 0x7f) {
    into[to++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[to++] = rest;
  return to;
}

function uvarintSize(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) size++;
  return size;
}
