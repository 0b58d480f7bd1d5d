/** One facade over the codecs of record batches. Everything is synchronous; output is bounded by the caller. */
import { type CompressionCodec, OutputTooLargeError } from './codec.ts';
import { compressGzip, decompressGzip } from './gzip.ts';
import { compressLz4, decompressLz4 } from './lz4-frame.ts';
import type { PlainScratch } from './scratch.ts';
import { compressSnappy, decompressSnappy } from './snappy-framed.ts';
import { compressZstd, decompressZstd, prepareZstd } from './zstd.ts';

export {
  type CompressionCodec,
  CorruptCompressionError,
  codecId,
  codecOfId,
  isCompressionCodec,
  OutputTooLargeError,
} from './codec.ts';
export { PlainScratch } from './scratch.ts';

/** Kafka's default levels. */
const DEFAULT_GZIP_LEVEL = -1;
const DEFAULT_ZSTD_LEVEL = 3;

/**
 * Loads what a codec needs before its first use: zstd on Node before 22.15. undefined where there is nothing to wait
 * for, so that callers can stay synchronous.
 */
export function prepareCodec(codec: CompressionCodec): Promise<void> | undefined {
  return codec === 'zstd' ? prepareZstd() : undefined;
}

/**
 * Compresses a payload as Kafka's clients write it. `level`: gzip 1 to 9 or -1, lz4 1 to 17 (9, Kafka's
 * default, is the fast one), zstd -131072 to 22; snappy has none.
 */
export function compress(codec: CompressionCodec, bytes: Uint8Array, level?: number): Buffer {
  switch (codec) {
    case 'none':
      return Buffer.from(bytes);
    case 'gzip':
      return compressGzip(bytes, level ?? DEFAULT_GZIP_LEVEL);
    case 'snappy':
      return compressSnappy(bytes);
    case 'lz4':
      return compressLz4(bytes, level);
    case 'zstd':
      return compressZstd(bytes, level ?? DEFAULT_ZSTD_LEVEL);
  }
}

/**
 * The plain form of a payload, in a buffer of its own or, with `scratch`, in memory that is valid until that is used again.
 * Throws {@link CorruptCompressionError} where the bytes are
 * malformed, {@link OutputTooLargeError} where the plain form would exceed `maxOutputBytes`; never allocates much more
 * than that bound, whatever the bytes claim.
 */
export function decompress(
  codec: CompressionCodec,
  bytes: Uint8Array,
  maxOutputBytes: number,
  scratch?: PlainScratch,
): Buffer {
  switch (codec) {
    case 'none':
      if (bytes.length > maxOutputBytes) throw new OutputTooLargeError(codec, maxOutputBytes);
      return Buffer.from(bytes);
    case 'gzip':
      return decompressGzip(bytes, maxOutputBytes);
    case 'snappy':
      return decompressSnappy(bytes, maxOutputBytes);
    case 'lz4':
      return decompressLz4(bytes, maxOutputBytes, scratch);
    case 'zstd':
      return decompressZstd(bytes, maxOutputBytes);
  }
}

/** lz4 as messages of format 0 have it: the checksum in the frame's header is wrong in a way of its own (KIP-57). */
export function compressOldLz4(bytes: Uint8Array): Buffer {
  return compressLz4(bytes, undefined, 'all');
}

/** As {@link decompress}, for lz4 in messages of format 0: the checksum in the frame's header is not looked at. */
export function decompressOldLz4(bytes: Uint8Array, maxOutputBytes: number, scratch?: PlainScratch): Buffer {
  return decompressLz4(bytes, maxOutputBytes, scratch, 'all');
}
