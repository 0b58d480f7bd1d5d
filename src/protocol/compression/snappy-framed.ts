/**
 * Snappy as Kafka uses it. Java clients wrap raw blocks of 32 KiB into the framing of the xerial library (magic, two
 * versions, then each block after its big-endian length); librdkafka and others write one raw stream. Both are read;
 * written is the framed form, which every client reads.
 */
import { CorruptCompressionError } from './codec.ts';
import {
  compressSnappyRaw,
  decodeSnappyElements,
  newSnappyTable,
  readSnappyPreamble,
  type SnappyPreamble,
  snappyBound,
} from './snappy.ts';

const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const FRAME_HEADER_BYTES = 16;
const VERSION = 1;
const OLDEST_READER = 1;
const BLOCK = 32 * 1024;

export function compressSnappy(bytes: Uint8Array): Buffer {
  const blocks = Math.ceil(bytes.length / BLOCK);
  const framed = Buffer.allocUnsafe(FRAME_HEADER_BYTES + blocks * 36 + snappyBound(bytes.length));
  framed.set(MAGIC, 0);
  framed.writeInt32BE(VERSION, 8);
  framed.writeInt32BE(OLDEST_READER, 12);
  const table = newSnappyTable();
  let out = FRAME_HEADER_BYTES;
  for (let from = 0; from < bytes.length; from += BLOCK) {
    const end = compressSnappyRaw(bytes, from, Math.min(from + BLOCK, bytes.length), framed, out + 4, table);
    framed.writeInt32BE(end - out - 4, out);
    out = end;
  }
  return framed.subarray(0, out);
}

function hasMagic(bytes: Buffer, at: number): boolean {
  return (
    bytes.length - at >= MAGIC.length && bytes.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) === 0
  );
}

interface Chunk extends SnappyPreamble {
  readonly end: number;
}

/** The blocks of a framed stream. A new frame header may stand between blocks: streams can be joined end to end. */
function readChunks(bytes: Buffer, maxOutputBytes: number): readonly Chunk[] {
  const chunks: Chunk[] = [];
  let room = maxOutputBytes;
  let at = 0;
  while (at < bytes.length) {
    if (hasMagic(bytes, at)) {
      if (bytes.length - at < FRAME_HEADER_BYTES)
        throw new CorruptCompressionError('snappy', 'the frame header is cut');
      at += FRAME_HEADER_BYTES;
      continue;
    }
    if (bytes.length - at < 4) throw new CorruptCompressionError('snappy', 'a block length is cut');
    const size = bytes.readInt32BE(at);
    at += 4;
    if (size < 0 || size > bytes.length - at) throw new CorruptCompressionError('snappy', 'a block is cut');
    const preamble = readSnappyPreamble(bytes, at, at + size, room);
    room -= preamble.plainLength;
    at += size;
    chunks.push({ ...preamble, end: at });
  }
  return chunks;
}

/** Decodes a framed or a raw stream; the sum of all lengths is checked before the output is allocated. */
export function decompressSnappy(input: Uint8Array, maxOutputBytes: number): Buffer {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const chunks = hasMagic(bytes, 0)
    ? readChunks(bytes, maxOutputBytes)
    : [{ ...readSnappyPreamble(bytes, 0, bytes.length, maxOutputBytes), end: bytes.length }];
  let total = 0;
  for (const chunk of chunks) total += chunk.plainLength;
  const plain = Buffer.allocUnsafe(total);
  let out = 0;
  for (const chunk of chunks) {
    const limit = out + chunk.plainLength;
    if (!decodeSnappyElements(bytes, chunk.elementsAt, chunk.end, plain, out, limit)) {
      throw new CorruptCompressionError('snappy', 'malformed block');
    }
    out = limit;
  }
  return plain;
}
