/** LZ4 frames (format 1.6), as lz4-java and librdkafka write them: 64 KiB independent blocks, no checksums but the header's. */
import { CorruptCompressionError, OutputTooLargeError } from './codec.ts';
import { newPositionTable } from './copy.ts';
import { decodeLz4Block, encodeLz4Block, lz4BlockBound, MAX_ENCODED_BLOCK } from './lz4-block.ts';
import { encodeLz4BlockThoroughly, MatchSearch } from './lz4-search.ts';
import type { PlainScratch } from './scratch.ts';
import { xxHash32 } from './xxhash32.ts';

const MAGIC = 0x184d2204;
const VERSION_BITS = 0x40;
const INDEPENDENT_FLAG = 0x20;
const BLOCK_CHECKSUM_FLAG = 0x10;
const CONTENT_SIZE_FLAG = 0x08;
const CONTENT_CHECKSUM_FLAG = 0x04;
/** The reserved bit and the one that announces a dictionary. */
const UNSUPPORTED_FLAGS = 0x03;
const BLOCK_SIZE_64_KIB = 4;
const PLAIN_BLOCK_FLAG = 0x80000000;
const HEADER_BYTES = 7;
const END_MARK_BYTES = 4;

/** Distance that a match may reach back. */
const WINDOW = 65535;
/** No sequence makes more of a compressed byte. */
const MAX_EXPANSION = 255;

/** Kafka's default level, which stands for the fast search; all others are thorough ones (KIP-390). */
const FAST_LEVEL = 9;
/** Most candidates that a search looks at for each position: half a second for the worst MiB there is, all on the loop. */
const ATTEMPTS_MAX = 128;

/**
 * What the header's checksum covers. `all`: the magic number too, which is wrong; clients before 0.10 wrote and wanted it
 * so, and what they wrote is read without looking at it (KIP-57).
 */
type HeaderChecksum = 'descriptor' | 'all';

/**
 * `level`: 1 to 17. 9 is the fast search; any other looks at up to 2^(level - 1) candidates for each position, at most
 * 128, so that 8 and what is above 9 are alike.
 */
export function compressLz4(
  bytes: Uint8Array,
  level = FAST_LEVEL,
  checksum: HeaderChecksum = 'descriptor',
): Buffer {
  const blocks = Math.ceil(bytes.length / MAX_ENCODED_BLOCK);
  const tail = bytes.length - Math.max(0, blocks - 1) * MAX_ENCODED_BLOCK;
  const most = Math.max(0, blocks - 1) * (4 + lz4BlockBound(MAX_ENCODED_BLOCK)) + 4 + lz4BlockBound(tail);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + most + END_MARK_BYTES);
  frame.writeUInt32LE(MAGIC, 0);
  frame[4] = VERSION_BITS | INDEPENDENT_FLAG;
  frame[5] = BLOCK_SIZE_64_KIB << 4;
  frame[6] = xxHash32(frame, checksum === 'all' ? 0 : 4, 6) >>> 8;

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const encodeBlock = level === FAST_LEVEL ? fastEncoder(bytes, view) : thoroughEncoder(bytes, view, level);
  let out = HEADER_BYTES;
  for (let from = 0; from < bytes.length; from += MAX_ENCODED_BLOCK) {
    const to = Math.min(from + MAX_ENCODED_BLOCK, bytes.length);
    const end = encodeBlock(from, to, frame, out + 4);
    if (end - out - 4 < to - from) {
      frame.writeUInt32LE(end - out - 4, out);
      out = end;
    } else {
      frame.writeUInt32LE(((to - from) | PLAIN_BLOCK_FLAG) >>> 0, out);
      frame.set(bytes.subarray(from, to), out + 4);
      out += 4 + to - from;
    }
  }
  frame.writeUInt32LE(0, out);
  return frame.subarray(0, out + END_MARK_BYTES);
}

type BlockEncoder = (from: number, to: number, into: Buffer, at: number) => number;

function fastEncoder(bytes: Uint8Array, view: DataView): BlockEncoder {
  const table = newPositionTable(Math.min(MAX_ENCODED_BLOCK, bytes.length));
  return (from, to, into, at) => encodeLz4Block(bytes, view, from, to, into, at, table);
}

function thoroughEncoder(bytes: Uint8Array, view: DataView, level: number): BlockEncoder {
  const search = new MatchSearch(bytes, view, Math.min(2 ** (level - 1), ATTEMPTS_MAX));
  return (from, to, into, at) => encodeLz4BlockThoroughly(bytes, from, to, into, at, search);
}

interface FrameHeader {
  readonly independent: boolean;
  readonly blockChecksums: boolean;
  readonly contentChecksum: boolean;
  /** undefined where the frame does not say. */
  readonly contentSize: number | undefined;
  readonly maxBlockSize: number;
  readonly blocksAt: number;
}

function corrupt(message: string): CorruptCompressionError {
  return new CorruptCompressionError('lz4', message);
}

function readHeader(frame: Buffer, checksum: HeaderChecksum): FrameHeader {
  if (frame.length < HEADER_BYTES) throw corrupt('the frame ends inside its header');
  if (frame.readUInt32LE(0) !== MAGIC) throw corrupt('wrong magic number');
  const flags = frame[4]!;
  const sizes = frame[5]!;
  if ((flags & 0xc0) !== VERSION_BITS) throw corrupt('unknown version');
  if ((flags & UNSUPPORTED_FLAGS) !== 0) throw corrupt('dictionaries and reserved flags are not supported');
  const sizeId = (sizes >>> 4) & 7;
  if ((sizes & 0x8f) !== 0 || sizeId < BLOCK_SIZE_64_KIB) throw corrupt('unknown block size');
  let at = 6;
  let contentSize: number | undefined;
  if ((flags & CONTENT_SIZE_FLAG) !== 0) {
    if (frame.length < HEADER_BYTES + 8) throw corrupt('the frame ends inside its header');
    contentSize = frame.readUInt32LE(6) + frame.readUInt32LE(10) * 4294967296;
    at = 14;
  }
  const isChecked = checksum === 'descriptor';
  if (isChecked && frame[at] !== ((xxHash32(frame, 4, at) >>> 8) & 0xff))
    throw corrupt('wrong header checksum');
  return {
    independent: (flags & INDEPENDENT_FLAG) !== 0,
    blockChecksums: (flags & BLOCK_CHECKSUM_FLAG) !== 0,
    contentChecksum: (flags & CONTENT_CHECKSUM_FLAG) !== 0,
    contentSize,
    maxBlockSize: 1 << (8 + 2 * sizeId),
    blocksAt: at + 1,
  };
}

/** Checks the chain of blocks against the bytes that are there; returns most bytes that it can decode to. */
function plainBound(frame: Buffer, header: FrameHeader): number {
  const checksum = header.blockChecksums ? 4 : 0;
  let bound = 0;
  let at = header.blocksAt;
  for (;;) {
    if (frame.length - at < 4) throw corrupt('the frame ends without an end mark');
    const word = frame.readUInt32LE(at);
    at += 4;
    if (word === 0) break;
    const size = word & 0x7fffffff;
    if (size > header.maxBlockSize) throw corrupt(`a block of ${size} bytes exceeds ${header.maxBlockSize}`);
    if (size + checksum > frame.length - at) throw corrupt('the frame ends inside a block');
    bound += word >= PLAIN_BLOCK_FLAG ? size : Math.min(header.maxBlockSize, size * MAX_EXPANSION);
    at += size + checksum;
  }
  const end = at + (header.contentChecksum ? 4 : 0);
  if (end !== frame.length) throw corrupt('the frame does not end with the bytes');
  return bound;
}

/**
 * Decodes one frame, which must fill `bytes`; verifies the content size and every checksum, unless that of the header is
 * wrong in old ways. With `scratch` the result lies there.
 */
export function decompressLz4(
  bytes: Uint8Array,
  maxOutputBytes: number,
  scratch?: PlainScratch,
  checksum: HeaderChecksum = 'descriptor',
): Buffer {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(frame, checksum);
  const bound = plainBound(frame, header);
  const { contentSize } = header;
  if (contentSize !== undefined) {
    if (contentSize > maxOutputBytes) throw new OutputTooLargeError('lz4', maxOutputBytes);
    if (contentSize > bound) throw corrupt('the content size is more than the blocks can hold');
  }
  const most = Math.min(bound, contentSize ?? maxOutputBytes, maxOutputBytes);
  const plain = scratch === undefined ? Buffer.allocUnsafe(most) : scratch.take(most).subarray(0, most);
  let out = 0;
  let at = header.blocksAt;
  for (;;) {
    const word = frame.readUInt32LE(at);
    at += 4;
    if (word === 0) break;
    const size = word & 0x7fffffff;
    if (header.blockChecksums && frame.readUInt32LE(at + size) !== xxHash32(frame, at, at + size)) {
      throw corrupt('wrong block checksum');
    }
    const limit = Math.min(plain.length, out + header.maxBlockSize);
    let end: number;
    if (word >= PLAIN_BLOCK_FLAG) {
      end = size > limit - out ? -2 : out + size;
      if (end !== -2) plain.set(frame.subarray(at, at + size), out);
    } else {
      const windowStart = header.independent ? out : Math.max(0, out - WINDOW);
      end = decodeLz4Block(frame, at, at + size, plain, out, limit, windowStart);
    }
    if (end === -1) throw corrupt('malformed block');
    if (end === -2) {
      // What stopped the block is the bound only if the bound is what the buffer ends with.
      if (limit === plain.length && plain.length === maxOutputBytes)
        throw new OutputTooLargeError('lz4', maxOutputBytes);
      throw corrupt('a block is larger than the frame allows');
    }
    out = end;
    at += size + (header.blockChecksums ? 4 : 0);
  }
  if (contentSize !== undefined && out !== contentSize) throw corrupt('the content size is wrong');
  if (header.contentChecksum && frame.readUInt32LE(at) !== xxHash32(plain, 0, out)) {
    throw corrupt('wrong content checksum');
  }
  return plain.subarray(0, out);
}
