/** Snappy, raw format: the plain length as a varint, then literals and copies. */
import snappyjs from 'snappyjs';
import { CorruptCompressionError, OutputTooLargeError } from './codec.ts';

/** No decoder in Java or JavaScript holds more. */
const MAX_PLAIN_BYTES = 0x7fffffff;

export function compressSnappyRaw(bytes: Buffer): Buffer {
  return snappyjs.compress(bytes);
}

function corrupt(message: string, cause?: unknown): CorruptCompressionError {
  return new CorruptCompressionError('snappy', message, { cause });
}

/** A raw stream whose elements make what its preamble says. */
export interface SnappyStream {
  readonly bytes: Buffer;
  readonly plainLength: number;
}

/**
 * Checks a raw stream before anything is allocated for it: the length that it announces against the bound, then its
 * elements against that length.
 */
export function checkSnappyRaw(bytes: Buffer, maxOutputBytes: number): SnappyStream {
  let plainLength = 0;
  let at = 0;
  for (let scale = 1; ; scale *= 128) {
    if (at >= bytes.length || at === 5) throw corrupt('malformed length');
    const byte = bytes[at++]!;
    plainLength += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (plainLength > MAX_PLAIN_BYTES) throw corrupt('malformed length');
  if (plainLength > maxOutputBytes) throw new OutputTooLargeError('snappy', maxOutputBytes);
  if (lengthOfElements(bytes, at) !== plainLength) throw corrupt('malformed block');
  return { bytes, plainLength };
}

/**
 * The length that the elements make; -1 where one is cut or goes beyond what lengths and distances may be. snappyjs
 * trusts them: a literal of 2 GiB or more moves it backwards, for ever if it lands on itself, and it neither notices an
 * output of another length than announced, nor a cut copy, nor a distance with the highest bit.
 */
function lengthOfElements(bytes: Buffer, from: number): number {
  let at = from;
  let made = 0;
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    const kind = tag & 3;
    if (kind === 1) {
      made += ((tag >>> 2) & 7) + 4;
      at += 1;
    } else if (kind === 2) {
      made += (tag >>> 2) + 1;
      at += 2;
    } else if (kind === 3) {
      made += (tag >>> 2) + 1;
      at += 4;
      if (at <= bytes.length && bytes[at - 1]! >= 0x80) return -1;
    } else {
      let length = (tag >>> 2) + 1;
      const lengthBytes = length - 60;
      if (lengthBytes > 0) {
        if (lengthBytes > bytes.length - at) return -1;
        length = 1 + bytes.readUIntLE(at, lengthBytes);
        at += lengthBytes;
      }
      made += length;
      at += length;
    }
  }
  return at === bytes.length ? made : -1;
}

/**
 * Decodes a stream that was checked. What is left to go wrong are distances, which snappyjs checks itself. It also refuses
 * one or two last bytes as a literal with its length apart: sound, but no encoder writes that.
 */
export function decompressSnappyRaw(stream: SnappyStream): Buffer {
  try {
    return snappyjs.uncompress(stream.bytes, stream.plainLength);
  } catch (error) {
    throw corrupt('malformed block', error);
  }
}
