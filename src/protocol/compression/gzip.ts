/** gzip through Node's own zlib. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { CorruptCompressionError, OutputTooLargeError } from './codec.ts';

const MIN_CHUNK = 1024;
const MAX_CHUNK = 1024 * 1024;
const MIN_MEMBER_BYTES = 18;

/** `level`: 1 to 9, or -1 for zlib's default. */
export function compressGzip(bytes: Uint8Array, level: number): Buffer {
  return gzipSync(bytes, { level, chunkSize: Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, bytes.length >>> 1)) });
}

/** The length modulo 2^32 that the last member claims to have; only a hint. */
function claimedLength(bytes: Uint8Array): number {
  const at = bytes.length - 4;
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

export function decompressGzip(bytes: Uint8Array, maxOutputBytes: number): Buffer {
  if (bytes.length < MIN_MEMBER_BYTES) throw new CorruptCompressionError('gzip', 'the stream is cut short');
  // One chunk for the whole output saves the join, and one that is not quite filled a second chunk; a claim that lies costs
  // one chunk of at most 1 MiB.
  const chunkSize = Math.min(MAX_CHUNK, maxOutputBytes, claimedLength(bytes) + 1);
  let plain: Buffer;
  try {
    plain = gunzipSync(bytes, {
      maxOutputLength: Math.max(1, maxOutputBytes),
      chunkSize: Math.max(MIN_CHUNK, chunkSize),
    });
  } catch (error) {
    if (isTooLarge(error)) throw new OutputTooLargeError('gzip', maxOutputBytes);
    throw new CorruptCompressionError('gzip', error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
  if (plain.length > maxOutputBytes) throw new OutputTooLargeError('gzip', maxOutputBytes);
  return plain;
}
