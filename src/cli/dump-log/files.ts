import type { Storage, StoredFile } from '../../base/ports.ts';
import { StorageError } from '../../base/ports.ts';
import {
  CURRENT_MAGIC,
  HEADER_UP_TO_MAGIC,
  LOG_OVERHEAD,
  magic,
  sizeInBytes,
} from '../../protocol/record-batch/header.ts';
import { DumpError } from './dump-error.ts';

/** A message of format 0 without key and value, behind its offset and size; nothing shorter is a batch. */
const MESSAGE_BYTES_MIN = 14;
const READ_BYTES = 1024 * 1024;
const WHOLE_FILE_BYTES_MAX = 1024 * 1024 * 1024;

/** A batch of any format, whole; `bytes` are valid until the next one is asked for. */
export interface FileBatch {
  readonly bytes: Buffer;
  readonly position: number;
  readonly magic: number;
}

/** Throws {@link DumpError}. */
export function openFile(storage: Storage, path: string): StoredFile {
  try {
    if (storage.isDirectory(path))
      throw new DumpError(`${path} is a directory; --files takes the files in it`);
    return storage.open(path, 'read');
  } catch (error) {
    throw readable(path, error);
  }
}

/** All bytes of a file that is small by nature. Throws {@link DumpError}. */
export function readWhole(storage: Storage, path: string): Buffer {
  const file = openFile(storage, path);
  try {
    const size = file.size();
    if (size > WHOLE_FILE_BYTES_MAX)
      throw new DumpError(`${path} has ${size} bytes, too many for a file of its kind`);
    const bytes = Buffer.allocUnsafe(size);
    return bytes.subarray(0, file.read(bytes, 0));
  } catch (error) {
    throw readable(path, error);
  } finally {
    file.close();
  }
}

/**
 * The whole batches from `from` on that end at or before `to`; a tail that holds no whole one is left out. Throws
 * {@link DumpError} where bytes are no batch at all.
 */
export function* batchesOf(
  file: StoredFile,
  from: number,
  to: number,
): Generator<FileBatch, void, undefined> {
  // A damaged index may point before the beginning.
  const first = Math.max(0, from);
  let buffer = Buffer.allocUnsafe(Math.max(HEADER_UP_TO_MAGIC, Math.min(READ_BYTES, to - first)));
  let start = first;
  let filled = 0;
  const have = (position: number, count: number): boolean => {
    if (position >= start && position + count <= start + filled) return true;
    if (count > buffer.length) buffer = Buffer.allocUnsafe(count);
    start = position;
    filled = file.read(buffer.subarray(0, Math.min(buffer.length, to - position)), position);
    return filled >= count;
  };
  for (let position = first; position < to - HEADER_UP_TO_MAGIC; ) {
    if (!have(position, HEADER_UP_TO_MAGIC)) return;
    const size = sizeInBytes(buffer, position - start);
    const format = magic(buffer, position - start);
    if (position === 0 && (format < 0 || format > CURRENT_MAGIC)) {
      throw new DumpError(`${file.path} does not begin with a batch: it is damaged or no log`);
    }
    if (size < MESSAGE_BYTES_MIN + LOG_OVERHEAD) {
      throw new DumpError(
        `${file.path}: at position ${position} stands a batch of ${size} bytes, which none can have: the file is damaged or no log`,
      );
    }
    if (position + size > to || !have(position, size)) return;
    const bytes = buffer.subarray(position - start, position - start + size);
    yield { bytes, position, magic: format };
    position += size;
  }
}

/** The offset that the name of a segment's file begins with. Throws {@link DumpError}. */
export function offsetInName(path: string): number {
  const digits = /^\d+/.exec(baseName(path))?.[0];
  const offset = Number(digits);
  if (digits !== undefined && Number.isSafeInteger(offset)) return offset;
  throw new DumpError(`${path} does not begin with an offset, as the files of a log do`);
}

export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** The file of the same segment with another ending. */
export const beside = (path: string, suffix: string): string =>
  path.slice(0, path.length - baseName(path).length) + baseName(path).replace(/\..*$/, '') + suffix;

function readable(path: string, error: unknown): unknown {
  if (!(error instanceof StorageError)) return error;
  if (error.code === 'ENOENT') return new DumpError(`there is no file ${path}`);
  if (error.code === 'EACCES') return new DumpError(`${path} may not be read`);
  return new DumpError(`${path} can't be read: ${error.message}`);
}
