import { type Storage, StorageError } from '../base/ports.ts';

/** All of a file; undefined where there is none. */
export function readSmallFile(storage: Storage, path: string, maxBytes: number): Buffer | undefined {
  const size = storage.sizeOf(path);
  if (size === undefined) return undefined;
  if (size > maxBytes)
    throw new StorageError('EOTHER', path, `${path} has ${size} bytes, more than ${maxBytes}`);
  const bytes = Buffer.alloc(size);
  const file = storage.open(path, 'read');
  try {
    return bytes.subarray(0, file.read(bytes, 0));
  } finally {
    file.close();
  }
}

/** Writes a file durably under another name, then puts it in place. */
export async function replaceFile(
  storage: Storage,
  dir: string,
  name: string,
  chunks: readonly Uint8Array[],
): Promise<void> {
  const temporary = `${dir}/${name}.tmp`;
  const file = storage.open(temporary, 'truncate');
  try {
    let size = 0;
    for (const chunk of chunks) size += chunk.length;
    const written = file.write(chunks, 0);
    if (written < size)
      throw new StorageError('ENOSPC', temporary, `${temporary}: ${written} of ${size} bytes written`);
    await file.sync();
  } finally {
    file.close();
  }
  storage.rename(temporary, `${dir}/${name}`);
  await storage.syncDir(dir);
}
