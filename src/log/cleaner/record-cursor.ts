import type { PlainScratch } from '../../protocol/compression/scratch.ts';
import * as header from '../../protocol/record-batch/header.ts';
import { InvalidRecordError, plainPayload } from '../../protocol/record-batch/records.ts';
import { bigVarlongValue, walkFailureText, walkRecords } from '../../protocol/record-batch/walk.ts';

/**
 * Walks the records of one batch by their bytes: where each lies, where its key does, and whether it has a value. Nothing
 * is built per record.
 */
export class RecordCursor {
  /** The plain form of the batch's records; valid until the scratch is used again. */
  payload: Uint8Array = new Uint8Array(0);
  /** A timestamp delta of the batch needs more than 53 bits. */
  wide = false;
  /** Of the record that `next` came to: its bytes with the length before them, and where the part behind its delta begins. */
  from = 0;
  to = 0;
  attributesAt = 0;
  afterTimestamp = 0;
  timestampDelta: number | bigint = 0;
  offsetDelta = 0;
  /** `keyTo` is -1 without a key. */
  keyFrom = 0;
  keyTo = -1;
  hasValue = false;
  #left = 0;
  #at = 0;

  /** Throws InvalidRecordError and what decompressing throws. */
  open(bytes: Uint8Array, at: number, plainBytesMax: number, scratch: PlainScratch): void {
    const count = header.recordCount(bytes, at);
    this.payload = plainPayload(bytes, at, plainBytesMax, scratch);
    const walk = walkRecords(this.payload, 0, this.payload.length, count);
    if (walk.failure !== undefined) {
      throw new InvalidRecordError(walk.failure, walkFailureText(walk.failure, walk.records));
    }
    this.wide = walk.wide;
    this.rewind(count);
  }

  /** Walks the `count` records of the batch that is open once more. */
  rewind(count: number): void {
    this.#left = count;
    this.to = 0;
  }

  next(): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    this.from = this.to;
    this.#at = this.from;
    const length = this.#varint();
    this.to = this.#at + length;
    this.attributesAt = this.#at;
    this.#at += 1;
    this.timestampDelta = this.#varlong();
    this.afterTimestamp = this.#at;
    this.offsetDelta = this.#varint();
    const keyLength = this.#varint();
    this.keyFrom = this.#at;
    this.keyTo = keyLength < 0 ? -1 : this.#at + keyLength;
    if (keyLength > 0) this.#at += keyLength;
    this.hasValue = this.#varint() >= 0;
    return true;
  }

  #varint(): number {
    const bytes = this.payload;
    let byte = bytes[this.#at++]!;
    let raw = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = bytes[this.#at++]!;
      raw |= (byte & 0x7f) << shift;
    }
    return (raw >>> 1) ^ -(raw & 1);
  }

  #varlong(): number | bigint {
    const bytes = this.payload;
    const from = this.#at;
    let byte = bytes[this.#at++]!;
    let raw = byte & 0x7f;
    for (let scale = 128; byte >= 0x80; scale *= 128) {
      byte = bytes[this.#at++]!;
      raw += (byte & 0x7f) * scale;
    }
    if (this.wide) return bigVarlongValue(bytes, from, this.#at);
    return (bytes[from]! & 1) === 0 ? raw / 2 : -(raw + 1) / 2;
  }
}
