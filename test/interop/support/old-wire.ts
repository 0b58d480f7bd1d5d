import { decompress, decompressOldLz4, prepareCodec } from '../../../src/protocol/compression/index.ts';
import { CODEC_IDS, type Codec } from './batch.ts';
import { In, Out } from './bytes.ts';
import type { Request } from './wire.ts';

/** Requests in versions that carry message sets, and what is in the answers. */

/** Produce v0 to v2 of one partition. */
export function oldProduce(version: number, topic: string, records: Uint8Array, acks = -1): Request {
  const body = new Out().int16(acks).int32(10_000).int32(1).string(topic).int32(1).int32(0).bytes(records);
  return { apiKey: 0, version, flexible: false, body: body.done() };
}

export function oldProduceAnswer(version: number, answer: In) {
  const topics = answer.array(() => {
    answer.string();
    return answer.array(() => {
      answer.int32();
      const [errorCode, baseOffset] = [answer.int16(), Number(answer.int64())];
      return { errorCode, baseOffset, logAppendTimeMs: version >= 2 ? answer.int64() : -1n };
    });
  });
  if (version >= 1) answer.int32();
  answer.end();
  return topics[0]?.[0];
}

export interface OldFetchOptions {
  readonly version: number;
  readonly offset: number;
  /** Of the partition. */
  readonly partitionMaxBytes?: number;
  /** Of the request, from v3 on. */
  readonly maxBytes?: number;
}

/** Fetch v0 to v10 of one partition; does not wait. */
export function oldFetch(topic: string, options: OldFetchOptions): Request {
  const { version, offset, partitionMaxBytes = 1_000_000, maxBytes = 10_000_000 } = options;
  const out = new Out().int32(-1).int32(0).int32(0);
  if (version >= 3) out.int32(maxBytes);
  if (version >= 4) out.int8(0);
  if (version >= 7) out.int32(0).int32(-1);
  out.int32(1).string(topic).int32(1).int32(0);
  if (version >= 9) out.int32(-1);
  out.int64(offset);
  if (version >= 5) out.int64(-1);
  out.int32(partitionMaxBytes);
  if (version >= 7) out.int32(0);
  return { apiKey: 1, version, flexible: false, body: out.done() };
}

export function oldFetchAnswer(version: number, answer: In) {
  if (version >= 1) answer.int32();
  if (version >= 7) {
    answer.int16();
    answer.int32();
  }
  const topics = answer.array(() => {
    answer.string();
    return answer.array(() => {
      answer.int32();
      const [errorCode, highWatermark] = [answer.int16(), Number(answer.int64())];
      if (version >= 4) {
        answer.int64();
        if (version >= 5) answer.int64();
        answer.array(() => [answer.int64(), answer.int64()]);
      }
      return { errorCode, highWatermark, records: answer.bytes() ?? Buffer.alloc(0) };
    });
  });
  answer.end();
  const partition = topics[0]?.[0];
  if (partition === undefined) throw new Error('an answer without a partition');
  return partition;
}

/** ListOffsets v0 of one partition: offsets, newest first. */
export function listOffsetsV0(topic: string, timestamp: number | bigint, count: number): Request {
  const body = new Out().int32(-1).int32(1).string(topic).int32(1).int32(0).int64(timestamp).int32(count);
  return { apiKey: 2, version: 0, flexible: false, body: body.done() };
}

export function listOffsetsV0Answer(answer: In) {
  const topics = answer.array(() => {
    answer.string();
    return answer.array(() => {
      answer.int32();
      return { errorCode: answer.int16(), offsets: answer.array(() => Number(answer.int64())) };
    });
  });
  answer.end();
  return topics[0]?.[0];
}

/** ListOffsets v1 to v5 and v7 with leader epochs where there are some. */
export function listOffsetsAt(version: 1 | 4 | 7, topic: string, timestamp: number | bigint): Request {
  const isNew = version === 7;
  const out = new Out().int32(-1);
  if (version >= 2) out.int8(0);
  if (isNew) out.uvarint(2).compactString(topic).uvarint(2);
  else out.int32(1).string(topic).int32(1);
  out.int32(0);
  if (version >= 4) out.int32(-1);
  out.int64(timestamp);
  if (isNew) out.tags().tags().tags();
  return { apiKey: 2, version, flexible: isNew, body: out.done() };
}

export function listOffsetsAtAnswer(version: 1 | 4 | 7, answer: In) {
  const isNew = version === 7;
  if (version >= 2) answer.int32();
  const array = <T>(item: () => T): T[] => (isNew ? answer.compactArray(item) : answer.array(item));
  const topics = array(() => {
    if (isNew) answer.compactString();
    else answer.string();
    const partitions = array(() => {
      answer.int32();
      const one = { errorCode: answer.int16(), timestamp: answer.int64(), offset: Number(answer.int64()) };
      const leaderEpoch = version >= 4 ? answer.int32() : undefined;
      if (isNew) answer.tags();
      return { ...one, ...(leaderEpoch === undefined ? {} : { leaderEpoch }) };
    });
    if (isNew) answer.tags();
    return partitions;
  });
  if (isNew) answer.tags();
  answer.end();
  return topics[0]?.[0];
}

/** DeleteRecords v0 of one partition. */
export function deleteRecords(topic: string, before: number): Request {
  const body = new Out().int32(1).string(topic).int32(1).int32(0).int64(before).int32(10_000).done();
  return { apiKey: 21, version: 0, flexible: false, body };
}

const CODECS = Object.keys(CODEC_IDS) as Codec[];
const MOST = 64 * 1024 * 1024;

const shown = (bytes: Buffer | null): string => {
  if (bytes === null) return 'null';
  return bytes.length > 100 ? `${bytes.length} bytes` : JSON.stringify(bytes.toString('latin1'));
};

/**
 * The whole messages of a set, each as a line: offset, format, codec, time, key and value, or the messages in it. What
 * follows them is left out.
 */
export function seenMessages(set: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; set.length - at >= 12; ) {
    const size = 12 + set.readInt32BE(at + 8);
    if (size < 26 || size > set.length - at) break;
    found.push(seenMessage(set.subarray(at, at + size)));
    at += size;
  }
  return found;
}

function seenMessage(bytes: Buffer): string {
  const reader = new In(bytes);
  const offset = Number(reader.int64());
  reader.int32();
  const crc = reader.int32();
  if (crc !== crcOf(bytes.subarray(16))) throw new Error(`wrong CRC at offset ${offset}`);
  const [magic, attributes] = [reader.int8(), reader.int8()];
  const time =
    magic === 1 ? `${orNow(reader.int64())}${(attributes & 8) === 0 ? '' : ' appended'}` : 'no time';
  const [key, value] = [reader.bytes(), reader.bytes()];
  reader.end();
  const codec = CODECS[attributes & 7] ?? 'unknown';
  const head = `${offset} format ${magic} ${codec} ${time} ${shown(key)}`;
  if (codec === 'none' || codec === 'unknown' || value === null) return `${head} ${shown(value)}`;
  const plain =
    codec === 'lz4' && magic === 0 ? decompressOldLz4(value, MOST) : decompress(codec, value, MOST);
  // The descriptor of the frame with its checksum.
  const frame = codec === 'lz4' ? ` ${value.subarray(0, 7).toString('hex')}` : '';
  return `${head}${frame} [${seenMessages(Buffer.from(plain)).join(' | ')}]`;
}

/** Times of the broker's clock are not the same twice. */
export function orNow(ms: bigint): string {
  return ms > 1_750_000_000_000n && ms < 1_000_000_000_000_000n ? 'now' : `${ms}`;
}

function crcOf(bytes: Uint8Array): number {
  let c = -1;
  for (const byte of bytes) {
    c ^= byte;
    for (let bit = 0; bit < 8; bit++) c = (c >>> 1) ^ (0xedb88320 & -(c & 1));
  }
  return ~c;
}

/** A batch of format 2 as JSON, its payload plain and in hex. */
export async function seenBatch(batch: Buffer) {
  const attributes = batch.readInt16BE(21);
  const codec = CODECS[attributes & 7];
  if (codec === undefined) throw new Error(`unknown codec ${attributes & 7}`);
  await prepareCodec(codec);
  return {
    magic: batch.readInt8(16),
    attributes,
    lastOffsetDelta: batch.readInt32BE(23),
    baseTimestamp: `${batch.readBigInt64BE(27)}`,
    maxTimestamp: orNow(batch.readBigInt64BE(35)),
    count: batch.readInt32BE(57),
    payload: decompress(codec, batch.subarray(61, 12 + batch.readInt32BE(8)), MOST).toString('hex'),
  };
}
