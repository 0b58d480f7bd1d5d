import { gzipSync } from 'node:zlib';
import { Out } from './bytes.ts';

/** Record batches by hand, right ones and wrong ones: every field can be set to what it must not be. */

const crcTable = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c >>> 0;
});

export function crc32c(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (c >>> 8) ^ (crcTable[(c ^ byte) & 255] ?? 0);
  return (c ^ 0xffffffff) >>> 0;
}

const crc32Table = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (c >>> 8) ^ (crc32Table[(c ^ byte) & 255] ?? 0);
  return (c ^ 0xffffffff) >>> 0;
}

export interface RecordSpec {
  readonly key?: string | Uint8Array | null;
  readonly value?: string | Uint8Array | null;
  readonly headers?: readonly (readonly [string, string | null])[];
  readonly offsetDelta?: number;
  readonly timestampDelta?: number | bigint;
  readonly attributes?: number;
}

const asBytes = (value: string | Uint8Array | null): Buffer | null =>
  value === null ? null : Buffer.from(value as Uint8Array);

function varBytes(out: Out, value: Uint8Array | null): void {
  if (value === null) out.varint(-1);
  else out.varint(value.length).raw(value);
}

/** What stands behind a record's length. */
export function recordBody(spec: RecordSpec, index: number): Buffer {
  const out = new Out()
    .int8(spec.attributes ?? 0)
    .varint(spec.timestampDelta ?? index)
    .varint(spec.offsetDelta ?? index);
  varBytes(out, asBytes(spec.key ?? null));
  varBytes(out, asBytes(spec.value ?? null));
  const headers = spec.headers ?? [];
  out.varint(headers.length);
  for (const [key, value] of headers) {
    varBytes(out, Buffer.from(key));
    varBytes(out, asBytes(value));
  }
  return out.done();
}

export function record(spec: RecordSpec, index: number): Buffer {
  const body = recordBody(spec, index);
  return new Out().varint(body.length).raw(body).done();
}

export interface BatchSpec {
  /** Records, or the raw bytes of the records section. */
  readonly records?: readonly RecordSpec[] | Uint8Array;
  readonly count?: number;
  readonly lastOffsetDelta?: number;
  readonly baseOffset?: number;
  readonly batchLength?: number;
  readonly partitionLeaderEpoch?: number;
  readonly magic?: number;
  /** Added to the right CRC. */
  readonly crcError?: number;
  readonly attributes?: number;
  readonly baseTimestamp?: number | bigint;
  readonly maxTimestamp?: number | bigint;
  readonly producerId?: number | bigint;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
}

export const BASE_TIMESTAMP = 1_700_000_000_000;

export function batch(spec: BatchSpec = {}): Buffer {
  const records = spec.records ?? [{ key: 'k', value: 'v' }];
  const payload =
    records instanceof Uint8Array ? records : Buffer.concat(records.map((r, i) => record(r, i)));
  const count = spec.count ?? (records instanceof Uint8Array ? 1 : records.length);
  const baseTimestamp = BigInt(spec.baseTimestamp ?? BASE_TIMESTAMP);
  const checked = new Out()
    .int16(spec.attributes ?? 0)
    .int32(spec.lastOffsetDelta ?? count - 1)
    .int64(baseTimestamp)
    .int64(spec.maxTimestamp ?? baseTimestamp + BigInt(Math.max(0, count - 1)))
    .int64(spec.producerId ?? -1)
    .int16(spec.producerEpoch ?? -1)
    .int32(spec.baseSequence ?? -1)
    .int32(count)
    .raw(payload)
    .done();
  return new Out()
    .int64(spec.baseOffset ?? 0)
    .int32(spec.batchLength ?? checked.length + 9)
    .int32(spec.partitionLeaderEpoch ?? -1)
    .int8(spec.magic ?? 2)
    .uint32((crc32c(checked) + (spec.crcError ?? 0)) >>> 0)
    .raw(checked)
    .done();
}

export interface MessageSpec {
  readonly magic?: 0 | 1;
  readonly offset?: number;
  readonly attributes?: number;
  /** Only in format 1. */
  readonly timestamp?: number | bigint;
  readonly key?: string | Uint8Array | null;
  readonly value?: string | Uint8Array | null;
  /** Added to the right CRC. */
  readonly crcError?: number;
  /** Written as the size field. */
  readonly size?: number;
  /** What stands behind the timestamp instead of key and value. */
  readonly body?: Uint8Array;
}

/** A message of format 0 or 1. */
export function message(spec: MessageSpec = {}): Buffer {
  const { magic = 1, timestamp = BASE_TIMESTAMP, key = 'k', value = 'v' } = spec;
  const checked = new Out().int8(magic).int8(spec.attributes ?? 0);
  if (magic === 1) checked.int64(timestamp);
  if (spec.body === undefined) checked.bytes(asBytes(key)).bytes(asBytes(value));
  else checked.raw(spec.body);
  const body = checked.done();
  return new Out()
    .int64(spec.offset ?? 0)
    .int32(spec.size ?? body.length + 4)
    .uint32((crc32(body) + (spec.crcError ?? 0)) >>> 0)
    .raw(body)
    .done();
}

/** A message set entry of magic 0 or 1. */
export function oldMessage(magic: 0 | 1, key: string | null, value: string | null, attributes = 0): Buffer {
  return message({ magic, key, value, attributes });
}

/** An LZ4 frame as clients before 0.10 wrote it: the header's checksum covers the magic number too (KIP-57). */
export function storeOldLz4(bytes: Uint8Array): Buffer {
  const frame = store('lz4', bytes);
  frame[6] = (xxh32Short(frame.subarray(0, 6)) >>> 8) & 255;
  return frame;
}

// Each codec in its simplest form, made by hand: stored blocks only, so the bytes are the same everywhere.

const rotate = (x: number, by: number): number => ((x << by) | (x >>> (32 - by))) >>> 0;

/** xxHash32 with seed 0 of fewer than 16 bytes: enough for an LZ4 frame's descriptor. */
function xxh32Short(bytes: Uint8Array): number {
  const [p2, p3, p4, p5, p1] = [2246822519, 3266489917, 668265263, 374761393, 2654435761];
  const mul = (a: number, b: number): number => Math.imul(a, b) >>> 0;
  let h = (p5 + bytes.length) >>> 0;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    h = mul(rotate((h + mul(Buffer.from(bytes).readUInt32LE(at), p3)) >>> 0, 17), p4);
  }
  for (; at < bytes.length; at++) h = mul(rotate((h + mul(bytes[at] ?? 0, p5)) >>> 0, 11), p1);
  h = mul((h ^ (h >>> 15)) >>> 0, p2);
  h = mul((h ^ (h >>> 13)) >>> 0, p3);
  return (h ^ (h >>> 16)) >>> 0;
}

export const CODEC_IDS = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
export type Codec = keyof typeof CODEC_IDS;

/** Compresses in name only. At most 60,000 bytes. */
export function store(codec: Codec, bytes: Uint8Array): Buffer {
  const le = (value: number, size: number): Buffer => {
    const b = Buffer.alloc(size);
    b.writeUIntLE(value, 0, size);
    return b;
  };
  switch (codec) {
    case 'none':
      return Buffer.from(bytes);
    case 'gzip': {
      const zipped = gzipSync(bytes, { level: 0 });
      zipped[9] = 255; // the operating system, which would differ
      return zipped;
    }
    case 'snappy': {
      const literals = new Out().uvarint(bytes.length);
      if (bytes.length <= 60) literals.raw(Uint8Array.of((bytes.length - 1) << 2)).raw(bytes);
      else
        literals
          .raw(Uint8Array.of(61 << 2))
          .raw(le(bytes.length - 1, 2))
          .raw(bytes);
      const block = literals.done();
      return new Out() // xerial's framing, as the Java clients write it
        .raw(Buffer.from('82534e4150505900', 'hex'))
        .int32(1)
        .int32(1)
        .int32(block.length)
        .raw(block)
        .done();
    }
    case 'lz4': {
      const descriptor = Buffer.from([0x60, 0x40]); // version 1, independent blocks of at most 64 KiB
      return Buffer.concat([
        Buffer.from([0x04, 0x22, 0x4d, 0x18]),
        descriptor,
        Buffer.from([(xxh32Short(descriptor) >>> 8) & 255]),
        le((bytes.length | 0x80000000) >>> 0, 4),
        bytes,
        le(0, 4),
      ]);
    }
    case 'zstd': {
      const size = // one segment; its size in one byte, or in two that count from 256
        bytes.length < 256
          ? [Buffer.of(0x20), le(bytes.length, 1)]
          : [Buffer.of(0x60), le(bytes.length - 256, 2)];
      return Buffer.concat([
        Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
        ...size,
        le((bytes.length << 3) | 1, 3),
        bytes,
      ]);
    }
  }
}
