import type { Logger, Storage } from '../base/ports.ts';
import * as header from '../protocol/record-batch/header.ts';
import { BatchScanner } from './batch-scanner.ts';
import * as names from './file-names.ts';

/**
 * Finishes or removes what a crash, or the cleaner of another broker, left in a partition's folder: `.deleted`, `.cleaned`
 * and temporary files go, a `.swap` is carried out, indexes without a log go. Returns the names of the files that are there
 * then, sorted. `before` are those that were there until now, where they were just listed. Throws StorageError.
 */
export function finishLeftovers(
  storage: Storage,
  logger: Logger,
  dir: string,
  before: readonly string[] = listFiles(storage, dir),
): string[] {
  const swaps = before.filter((name) => name.endsWith(names.SWAP_SUFFIX));
  const cleaned = before.filter((name) => name.endsWith(names.CLEANED_SUFFIX));
  const cleanedFrom = Math.min(...cleaned.map((name) => names.offsetOf(name) ?? Number.POSITIVE_INFINITY));
  const unfinished = swaps.filter((name) => (names.offsetOf(name) ?? 0) >= cleanedFrom);
  // Snapshots of the metadata log carry the same suffix when they are about to go; raft looks after them.
  const deleted = before.filter(
    (name) => name.endsWith(names.DELETED_SUFFIX) && !name.endsWith('.checkpoint.deleted'),
  );
  const temporary = before.filter((name) => TEMPORARY.test(name));
  const doomed = new Set([...deleted, ...cleaned, ...unfinished, ...temporary]);
  for (const name of doomed) storage.removeNow(`${dir}/${name}`);
  const left = before.filter((name) => !doomed.has(name));
  const finished = swaps.length === unfinished.length ? left : finishSwaps(storage, logger, dir, left);
  return removeLonelyIndexes(storage, logger, dir, finished);
}

const TEMPORARY = /(\.(index|timeindex|txnindex|snapshot|metadata)|^leader-epoch-checkpoint)\.tmp$/;

/** The names of the files in a folder, sorted. Throws StorageError. */
export function listFiles(storage: Storage, dir: string): string[] {
  return storage
    .list(dir)
    .filter((entry) => !entry.isDirectory)
    .map((entry) => entry.name);
}

function finishSwaps(storage: Storage, logger: Logger, dir: string, files: readonly string[]): string[] {
  const swaps = files.filter((name) => name.endsWith(names.SWAP_SUFFIX));
  let from = Number.POSITIVE_INFINITY;
  let to = -1;
  for (const name of swaps) {
    if (!name.endsWith(names.LOG_SUFFIX + names.SWAP_SUFFIX)) continue;
    const file = storage.open(`${dir}/${name}`, 'read');
    try {
      from = Math.min(from, names.offsetOf(name) ?? from);
      to = Math.max(to, names.offsetOf(name) ?? 0);
      const scanner = new BatchScanner(file, 0, file.size());
      while (scanner.next()) to = Math.max(to, header.lastOffset(scanner.bytes, scanner.at) + 1);
    } finally {
      file.close();
    }
  }
  for (const name of files) {
    const offset = names.offsetOf(name);
    if (offset === undefined || name.endsWith(names.SWAP_SUFFIX) || offset < from || offset >= to) continue;
    storage.removeNow(`${dir}/${name}`);
  }
  for (const name of swaps) {
    logger.info(`finishing the swap of ${dir}/${name}`);
    storage.rename(`${dir}/${name}`, `${dir}/${name.slice(0, -names.SWAP_SUFFIX.length)}`);
  }
  return listFiles(storage, dir);
}

function removeLonelyIndexes(
  storage: Storage,
  logger: Logger,
  dir: string,
  files: readonly string[],
): string[] {
  const present = new Set(files);
  return files.filter((name) => {
    const baseOffset = names.offsetOf(name);
    if (baseOffset === undefined || !INDEXES.some((suffix) => name.endsWith(suffix))) return true;
    if (present.has(names.offsetName(baseOffset) + names.LOG_SUFFIX)) return true;
    logger.warn(`${dir}/${name} belongs to no segment and is removed`);
    storage.removeNow(`${dir}/${name}`);
    return false;
  });
}

const INDEXES = [names.INDEX_SUFFIX, names.TIME_INDEX_SUFFIX, names.TXN_INDEX_SUFFIX];
