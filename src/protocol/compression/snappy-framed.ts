/**
 * Snappy as Kafka uses it. Java clients wrap raw blocks of 32 KiB into the framing of the xerial library (magic, two
 * versions, then each block after its big-endian length); librdkafka and others write one raw stream. Both are read;
 * written is the framed form, which every client reads.
 */
import { CorruptCompressionError } from './codec.ts';
import { checkSnappyRaw, compressSnappyRaw, decompressSnappyRaw, type SnappyStream } from './snappy.ts';

const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** Behind the magic: the version, and the oldest version of a reader. */
const FRAME_HEADER = Buffer.from([...MAGIC, 0, 0, 0, 1, 0, 0, 0, 1]);
const BLOCK = 32 * 1024;

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function compressSnappy(input: Uint8Array): Buffer {
  const bytes = asBuffer(input);
  const parts: Buffer[] = [FRAME_HEADER];
  for (let from = 0; from < bytes.length; from += BLOCK) {
    const block = compressSnappyRaw(bytes.subarray(from, from + BLOCK));
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

function hasMagic(bytes: Buffer, at: number): boolean {
  return (
    bytes.length - at >= MAGIC.length && bytes.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) === 0
  );
}

/** The blocks of a framed stream. A new frame header may stand between blocks: streams can be joined end to end. */
function readBlocks(bytes: Buffer, maxOutputBytes: number): readonly SnappyStream[] {
  const blocks: SnappyStream[] = [];
  let room = maxOutputBytes;
  let at = 0;
  while (at < bytes.length) {
    if (hasMagic(bytes, at)) {
      if (bytes.length - at < FRAME_HEADER.length)
        throw new CorruptCompressionError('snappy', 'the frame header is cut');
      at += FRAME_HEADER.length;
      continue;
    }
    if (bytes.length - at < 4) throw new CorruptCompressionError('snappy', 'a block length is cut');
    const size = bytes.readInt32BE(at);
    at += 4;
    if (size < 0 || size > bytes.length - at) throw new CorruptCompressionError('snappy', 'a block is cut');
    const block = checkSnappyRaw(bytes.subarray(at, at + size), room);
    room -= block.plainLength;
    at += size;
    blocks.push(block);
  }
  return blocks;
}

/** Decodes a framed or a raw stream; the sum of all lengths is checked before the output is allocated. */
export function decompressSnappy(input: Uint8Array, maxOutputBytes: number): Buffer {
  const bytes = asBuffer(input);
  if (!hasMagic(bytes, 0)) return decompressSnappyRaw(checkSnappyRaw(bytes, maxOutputBytes));
  const blocks = readBlocks(bytes, maxOutputBytes);
  if (blocks.length === 1) return decompressSnappyRaw(blocks[0]!);
  let total = 0;
  for (const block of blocks) total += block.plainLength;
  const plain = Buffer.allocUnsafe(total);
  let out = 0;
  for (const block of blocks) {
    plain.set(decompressSnappyRaw(block), out);
    out += block.plainLength;
  }
  return plain;
}
