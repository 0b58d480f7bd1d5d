import { resolve } from 'node:path';

/** What does not fit together in the files that were printed, told on the standard error after all of them. */
export class Findings {
  readonly #mismatches = new Map<string, Map<number, number>>();
  readonly #timestamps = new Map<string, (readonly [index: bigint, log: bigint])[]>();
  readonly #outOfOrder = new Map<string, (readonly [timestamp: bigint, before: bigint])[]>();
  readonly #notFound = new Map<string, (readonly [offset: number, found: number])[]>();
  readonly #gaps = new Map<string, Map<number, number>>();

  /** An entry of an offset index points to a batch with another last offset. */
  indexMismatch(file: string, indexOffset: number, logOffset: number): void {
    mapIn(this.#mismatches, file).set(indexOffset, logOffset);
  }

  /** The batch behind a time index entry has another largest timestamp. */
  timestampMismatch(file: string, indexTimestamp: bigint, logTimestamp: bigint): void {
    listIn(this.#timestamps, file).push([indexTimestamp, logTimestamp]);
  }

  timestampOutOfOrder(file: string, timestamp: bigint, before: bigint): void {
    listIn(this.#outOfOrder, file).push([timestamp, before]);
  }

  /** No batch ends at the offset of a time index entry; `found` is the last offset of the next one, or -1. */
  offsetNotFound(file: string, offset: number, found: number): void {
    listIn(this.#notFound, file).push([offset, found]);
  }

  /** Offsets between two records are missing, which compaction and transactions bring about. */
  gap(file: string, before: number, after: number): void {
    mapIn(this.#gaps, file).set(before, after);
  }

  get isEmpty(): boolean {
    return this.lines().next().done === true;
  }

  /** In the form that scripts know from the official tool. */
  *lines(): Generator<string, void, undefined> {
    for (const [file, pairs] of this.#mismatches) {
      yield `Mismatches in :${resolve(file)}`;
      const descending = [...pairs].sort(([one], [other]) => other - one);
      for (const [index, log] of descending) yield `  Index offset: ${index}, log offset: ${log}`;
    }
    for (const [file, pairs] of this.#timestamps) {
      yield `Found timestamp mismatch in :${resolve(file)}`;
      for (const [index, log] of pairs) yield `  Index timestamp: ${index}, log timestamp: ${log}`;
    }
    for (const [file, pairs] of this.#outOfOrder) {
      yield `Found out of order timestamp in :${resolve(file)}`;
      for (const [index, before] of pairs) {
        yield `  Index timestamp: ${index}, Previously indexed timestamp: ${before}`;
      }
    }
    for (const [file, pairs] of this.#notFound) {
      yield `The following indexed offsets are not found in :${resolve(file)}`;
      for (const [offset, found] of pairs) yield `Indexed offset: ${offset}, found log offset: ${found}`;
    }
    for (const [file, pairs] of this.#gaps) {
      yield `Non-consecutive offsets in ${resolve(file)}`;
      const ascending = [...pairs].sort(([one], [other]) => one - other);
      for (const [before, after] of ascending) yield `  ${before} is followed by ${after}`;
    }
  }
}

function mapIn<K, V>(files: Map<string, Map<K, V>>, file: string): Map<K, V> {
  const found = files.get(file) ?? new Map<K, V>();
  files.set(file, found);
  return found;
}

function listIn<T>(files: Map<string, T[]>, file: string): T[] {
  const found = files.get(file) ?? [];
  files.set(file, found);
  return found;
}
