/** Zstandard: Node's own zlib from 22.15 on, a WebAssembly build of the reference library before. */
import * as zlib from 'node:zlib';
import { assert } from '../../base/assert.ts';
import { CorruptCompressionError, OutputTooLargeError } from './codec.ts';
import { readZstdFrames, type ZstdFrame } from './zstd-frame.ts';

/** One way to run the library. Sizes have been checked before. */
interface ZstdEngine {
  compress(bytes: Uint8Array, level: number): Uint8Array;
  /** Decodes one frame to at most `capacity` bytes; returns 'too-large' where that is not enough. */
  decompress(frame: Uint8Array, capacity: number): Uint8Array | 'too-large';
}

// Types for Node 20 do not know these yet.
interface ZlibWithZstd {
  readonly zstdCompressSync: (bytes: Uint8Array, options: object) => Buffer;
  readonly zstdDecompressSync: (bytes: Uint8Array, options: object) => Buffer;
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
}

function hasZstd(module: object): module is ZlibWithZstd {
  return 'zstdCompressSync' in module && 'zstdDecompressSync' in module;
}

const MIN_CHUNK = 1024;
const MAX_CHUNK = 1024 * 1024;

function nativeEngine(module: ZlibWithZstd): ZstdEngine {
  return {
    compress: (bytes, level) =>
      module.zstdCompressSync(bytes, {
        chunkSize: Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, bytes.length >>> 1)),
        params: { [module.constants.ZSTD_c_compressionLevel]: level },
      }),
    decompress: (frame, capacity) => {
      try {
        return module.zstdDecompressSync(frame, {
          maxOutputLength: Math.max(1, capacity),
          chunkSize: Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, capacity)),
        });
      } catch (error) {
        if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
          return 'too-large';
        throw error;
      }
    },
  };
}

/** The WebAssembly memory never shrinks, and its allocator's failures go unnoticed: stay far below where it ends. */
const MAX_WASM_BYTES = 512 * 1024 * 1024;
const DESTINATION_TOO_SMALL = 70;

async function wasmEngine(): Promise<ZstdEngine> {
  const module = await import('@bokuweb/zstd-wasm');
  await module.init();
  return {
    compress: (bytes, level) => {
      assert(bytes.length <= MAX_WASM_BYTES / 4, 'too much for zstd without help from Node');
      return module.compress(bytes, level);
    },
    decompress: (frame, capacity) => {
      if (frame.length + capacity > MAX_WASM_BYTES) return 'too-large';
      try {
        return module.decompress(frame, { defaultHeapSize: Math.max(1, capacity) });
      } catch (error) {
        // The library's code is all that the message holds: an error is its number, negated.
        const code = error instanceof Error ? Number(/-?\d+$/.exec(error.message)?.[0]) | 0 : 0;
        if (code === -DESTINATION_TOO_SMALL) return 'too-large';
        throw error;
      }
    },
  };
}

// A pure cache of a compiled library.
let engine: ZstdEngine | undefined = hasZstd(zlib) ? nativeEngine(zlib) : undefined;
let loading: Promise<void> | undefined;

/** Loads what is needed; undefined where nothing has to be waited for. */
export function prepareZstd(): Promise<void> | undefined {
  if (engine !== undefined) return undefined;
  loading ??= wasmEngine().then((loaded) => {
    engine = loaded;
  });
  return loading;
}

function ready(): ZstdEngine {
  if (engine === undefined) throw new Error("zstd is not loaded: await prepareCodec('zstd') first");
  return engine;
}

export function compressZstd(bytes: Uint8Array, level: number): Buffer {
  return asBuffer(ready().compress(bytes, level));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decompressFrame(frame: Uint8Array, shape: ZstdFrame, room: number, maxOutputBytes: number): Buffer {
  const size = shape.contentSize;
  if (size !== undefined && size > room) throw new OutputTooLargeError('zstd', maxOutputBytes);
  const capacity = size ?? Math.min(shape.plainBound, room);
  let plain: Uint8Array | 'too-large';
  try {
    plain = ready().decompress(frame, capacity);
  } catch (error) {
    throw new CorruptCompressionError('zstd', error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
  if (plain !== 'too-large' && plain.length <= capacity) {
    if (size !== undefined && plain.length !== size)
      throw new CorruptCompressionError('zstd', 'the content size is wrong');
    return asBuffer(plain);
  }
  if (size !== undefined || capacity < room)
    throw new CorruptCompressionError('zstd', 'more content than announced');
  throw new OutputTooLargeError('zstd', maxOutputBytes);
}

/** Decodes the frames that fill `bytes`. {@link prepareZstd} must have settled. */
export function decompressZstd(bytes: Uint8Array, maxOutputBytes: number): Buffer {
  let room = maxOutputBytes;
  const parts: Buffer[] = [];
  for (const shape of readZstdFrames(bytes)) {
    const part = decompressFrame(bytes.subarray(shape.from, shape.to), shape, room, maxOutputBytes);
    room -= part.length;
    parts.push(part);
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
