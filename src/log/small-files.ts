import type { Storage, StoredFile } from '../base/ports.ts';
import { StorageError } from '../base/ports.ts';
import type { Uuid } from '../base/uuid.ts';
import { isUuid } from '../base/uuid.ts';

/** Checkpoints and marker files are read whole; a larger one is none of ours. */
const SMALL_FILE_BYTES_MAX = 64 * 1024 * 1024;

/** All bytes of a file, or undefined where there is none. Throws StorageError. */
export function readSmallFile(storage: Storage, path: string): Buffer | undefined {
  const size = storage.sizeOf(path);
  if (size === undefined) return undefined;
  if (size > SMALL_FILE_BYTES_MAX) throw new StorageError('EOTHER', path, `${path} has ${size} bytes`);
  const file = storage.open(path, 'read');
  try {
    const bytes = Buffer.allocUnsafe(size);
    const count = file.read(bytes, 0);
    return bytes.subarray(0, count);
  } finally {
    file.close();
  }
}

/**
 * Puts `content` where readers see either the old file or the new one whole. It survives a power loss after `syncSmallFile`
 * and `syncDir` of its folder; until then a crash may leave it empty. Throws StorageError.
 */
export function writeSmallFile(storage: Storage, path: string, content: string | Buffer): void {
  const file = openTemporary(storage, path, content);
  file.close();
  storage.rename(file.path, path);
}

/**
 * As `writeSmallFile` for what may be missing after a crash: leaves a file alone that has that content, and removes
 * another one first, since file systems flush what a rename puts in a file's place. Throws StorageError.
 */
export function replaceUnsynced(storage: Storage, path: string, content: Buffer): void {
  const before = readSmallFile(storage, path);
  if (before?.equals(content) === true) return;
  if (before !== undefined) storage.removeNow(path);
  writeSmallFile(storage, path, content);
}

/** Resolves when all have. Rejects with the failure of one, once none of the others touches a file any more. */
export async function allOver(running: readonly Promise<unknown>[]): Promise<void> {
  for (const one of await Promise.allSettled(running)) if (one.status === 'rejected') throw one.reason;
}

/** Makes the bytes of a small file survive a power loss. Rejects with StorageError. */
export async function syncSmallFile(storage: Storage, path: string): Promise<void> {
  const file = storage.open(path, 'write');
  try {
    await file.sync();
  } finally {
    file.close();
  }
}

/**
 * Puts `content` where readers see either the old file or the new one whole, at once. The promise resolves when it also
 * survives a power loss, except for the name itself (`syncDir` of the folder). Throws StorageError when the write failed.
 */
export function replaceSmallFile(storage: Storage, path: string, content: string | Buffer): Promise<void> {
  const file = openTemporary(storage, path, content);
  // Started before the rename, so that on a crash in between the name points to whole bytes or to the old file.
  const synced = file.sync().finally(() => file.close());
  try {
    storage.rename(file.path, path);
    return synced;
  } catch (error) {
    // Nobody waits for the sync any more; it may fail as well.
    synced.catch(() => {});
    throw error;
  }
}

function openTemporary(storage: Storage, path: string, content: string | Buffer): StoredFile {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  const temporary = `${path}.tmp`;
  const file = storage.open(temporary, 'truncate');
  try {
    const written = bytes.length === 0 ? 0 : file.write([bytes], 0);
    if (written === bytes.length) return file;
    throw new StorageError('ENOSPC', temporary, `only ${written} of ${bytes.length} bytes were written`);
  } catch (error) {
    file.close();
    // Where the disk is full its space is needed.
    storage.removeNow(temporary);
    throw error;
  }
}

/** A text file of checkpoints that can't be read as one. */
export class CheckpointError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CheckpointError';
  }
}

/** The text of Apache's checkpoint files: a version line (0), the number of lines, the lines. */
export function formatCheckpoint(lines: readonly string[]): string {
  return `0\n${lines.length}\n${lines.map((line) => `${line}\n`).join('')}`;
}

/** The lines of a checkpoint file, each split at white space. Throws CheckpointError where the text is none. */
export function parseCheckpoint(text: string, fieldCount: number): string[][] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length < 2) return [];
  if (lines[0]?.trim() !== '0') throw new CheckpointError(`unknown version ${lines[0]}`);
  const entries = lines.slice(2).map((line) => line.trim().split(/\s+/));
  if (entries.length !== Number(lines[1])) {
    throw new CheckpointError(`${lines[1]} entries were announced, ${entries.length} are there`);
  }
  for (const entry of entries) {
    if (entry.length !== fieldCount) throw new CheckpointError(`malformed line "${entry.join(' ')}"`);
  }
  return entries;
}

export function parseOffset(text: string | undefined): number {
  const offset = Number(text);
  if (text === undefined || !/^-?\d+$/.test(text) || !Number.isSafeInteger(offset)) {
    throw new CheckpointError(`not an offset: ${text}`);
  }
  return offset;
}

/** Offsets per partition folder name (`topic-partition`), as in recovery-point-offset-checkpoint. */
export function parseOffsetCheckpoint(text: string): Map<string, number> {
  const offsets = new Map<string, number>();
  for (const [topic, partition, offset] of parseCheckpoint(text, 3)) {
    offsets.set(`${topic}-${parseOffset(partition)}`, parseOffset(offset));
  }
  return offsets;
}

export function formatPartitionMetadata(topicId: Uuid): string {
  return `version: 0\ntopic_id: ${topicId}`;
}

/** The topic id of a partition.metadata file; undefined where the text has none (a file torn by a crash). */
export function parsePartitionMetadata(text: string): Uuid | undefined {
  const id = /^topic_id:\s*(\S+)\s*$/m.exec(text)?.[1];
  return id !== undefined && isUuid(id) ? id : undefined;
}
