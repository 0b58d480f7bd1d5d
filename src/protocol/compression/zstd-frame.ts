/**
 * The outer structure of Zstandard data (RFC 8878): frames, and the headers of their blocks. Reading it first gives a
 * bound on the output before anything is decoded, also for frames that do not carry their size.
 */
import { CorruptCompressionError } from './codec.ts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a5;
const MAX_BLOCK = 128 * 1024;
const RAW_BLOCK = 0;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

export interface ZstdFrame {
  readonly from: number;
  readonly to: number;
  /** undefined where the frame does not say. */
  readonly contentSize: number | undefined;
  /** Most bytes that the blocks can decode to. */
  readonly plainBound: number;
}

function corrupt(message: string): CorruptCompressionError {
  return new CorruptCompressionError('zstd', message);
}

function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = length - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;

interface FrameHeader {
  readonly end: number;
  readonly contentSize: number | undefined;
  readonly maxBlock: number;
  readonly hasChecksum: boolean;
}

function readHeader(bytes: Uint8Array, at: number): FrameHeader {
  if (bytes.length - at < 5) throw corrupt('the frame ends inside its header');
  const descriptor = bytes[at + 4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) throw corrupt('a reserved bit is set');
  const sizeFlag = descriptor >>> 6;
  const windowBytes = singleSegment ? 0 : 1;
  const dictionaryBytes = DICTIONARY_ID_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3];
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  const end = at + 5 + windowBytes + dictionaryBytes + sizeBytes;
  if (end > bytes.length) throw corrupt('the frame ends inside its header');
  if (littleEndian(bytes, at + 5 + windowBytes, dictionaryBytes) !== 0)
    throw corrupt('dictionaries are not supported');

  let contentSize: number | undefined;
  if (sizeBytes > 0)
    contentSize = littleEndian(bytes, end - sizeBytes, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  let window = contentSize ?? 0;
  if (!singleSegment) {
    const byte = bytes[at + 5]!;
    const base = 2 ** (10 + (byte >>> 3));
    window = base + (base / 8) * (byte & 7);
  }
  return { end, contentSize, maxBlock: Math.min(window, MAX_BLOCK), hasChecksum: (descriptor & 4) !== 0 };
}

function readFrame(bytes: Uint8Array, from: number): ZstdFrame {
  const header = readHeader(bytes, from);
  let at = header.end;
  let plainBound = 0;
  for (let last = false; !last; ) {
    if (bytes.length - at < 3) throw corrupt('the frame ends before its last block');
    const word = littleEndian(bytes, at, 3);
    at += 3;
    last = (word & 1) !== 0;
    const type = (word >>> 1) & 3;
    const size = word >>> 3;
    if (type === RESERVED_BLOCK || size > header.maxBlock) throw corrupt('malformed block header');
    const stored = type === RLE_BLOCK ? 1 : size;
    if (stored > bytes.length - at) throw corrupt('the frame ends inside a block');
    plainBound += type === RAW_BLOCK || type === RLE_BLOCK ? size : header.maxBlock;
    at += stored;
  }
  if (header.hasChecksum) at += 4;
  if (at > bytes.length) throw corrupt('the frame ends inside its checksum');
  if (header.contentSize !== undefined && header.contentSize > plainBound) {
    throw corrupt('the content size is more than the blocks can hold');
  }
  return { from, to: at, contentSize: header.contentSize, plainBound };
}

/** The frames that fill `bytes`, skippable ones left out. Throws {@link CorruptCompressionError}. */
export function readZstdFrames(bytes: Uint8Array): readonly ZstdFrame[] {
  const frames: ZstdFrame[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 4) throw corrupt('the data ends inside a magic number');
    const magic = littleEndian(bytes, at, 4);
    if (magic === MAGIC) {
      const frame = readFrame(bytes, at);
      frames.push(frame);
      at = frame.to;
    } else if (Math.floor(magic / 16) === SKIPPABLE_MAGIC) {
      if (bytes.length - at < 8) throw corrupt('a skippable frame is cut');
      at += 8 + littleEndian(bytes, at + 4, 4);
      if (at > bytes.length) throw corrupt('a skippable frame is cut');
    } else {
      throw corrupt('wrong magic number');
    }
  }
  if (frames.length === 0) throw corrupt('no frame');
  return frames;
}
