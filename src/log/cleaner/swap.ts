import type { Storage } from '../../base/ports.ts';
import { CLEANED_SUFFIX, offsetName, SWAP_SUFFIX } from '../file-names.ts';
import type { ProducerFiles } from '../producer-files.ts';
import type { ProducerState } from '../producer-state.ts';
import { Segment, type SegmentContext } from '../segment.ts';
import type { Segments } from '../segments.ts';
import { allOver, syncSmallFile } from '../small-files.ts';
import { type CleanedSegmentInfo, removeCleanedFiles, suffixesOf } from './cleaned-segment.ts';

/** Makes the bytes of cleaned segments survive a power loss; only then may they take the place of others. */
export async function syncCleaned(
  storage: Storage,
  dir: string,
  cleaned: readonly CleanedSegmentInfo[],
): Promise<void> {
  for (const info of cleaned) {
    const paths = suffixesOf(info).map((suffix) => pathOf(dir, info, suffix) + CLEANED_SUFFIX);
    await allOver(paths.map((path) => syncSmallFile(storage, path)));
  }
}

/** The log as far as a swap concerns it. */
export interface SwapTarget {
  readonly dir: string;
  readonly context: SegmentContext;
  readonly segments: Segments;
  readonly producers: ProducerState;
  readonly producerFiles: ProducerFiles;
  /** Takes the files of the old segments away, all but the snapshots at the offsets where segments go on to begin. */
  readonly bury: (keptOffsets: ReadonlySet<number>) => void;
  /** The disk failed where it can't be undone: what lies in the folder is for a start to finish. */
  readonly halfDone: (error: unknown) => void;
}

/** Puts cleaned segments in the place of `old`, on the disk and in memory. Throws StorageError. */
export function swapIn(
  old: readonly Segment[],
  cleaned: readonly CleanedSegmentInfo[],
  target: SwapTarget,
): void {
  const { dir, context, segments, producers, producerFiles } = target;
  const last = old.at(-1)!;
  const endOffset = segments.at(segments.floor(last.baseOffset) + 1)!.baseOffset;
  carryOutSwap(dir, cleaned, target);
  const kept = new Set(cleaned.map(({ baseOffset }) => baseOffset));
  producerFiles.forget(old.filter(({ baseOffset }) => !kept.has(baseOffset)));
  const aborted = cleaned.flatMap((info) => info.aborted);
  producers.keepAborted(old[0]!.baseOffset, endOffset, aborted);
  const fresh = cleaned.map(({ baseOffset, sizeInBytes }) => {
    const init = { sizeInBytes, nowMs: last.createdMs, rollJitterMs: 0 };
    return new Segment(context, dir, baseOffset, init);
  });
  segments.replace(old, fresh);
}

/**
 * Gives synced `.cleaned` files the names of the segments that they replace, in Apache's order. First they become `.swap`,
 * from the last segment to the first: a start that finds both kinds drops all, one that finds `.swap` alone goes on with
 * the swap. Then the old files go. In the first half a failure is undone, from there on, or where that fails, `halfDone`
 * is told.
 */
function carryOutSwap(dir: string, cleaned: readonly CleanedSegmentInfo[], target: SwapTarget): void {
  const { storage } = target.context;
  announceSwap(storage, dir, cleaned, target.halfDone);
  try {
    target.bury(new Set(cleaned.map(({ baseOffset }) => baseOffset)));
    for (const info of cleaned) renameFiles(storage, dir, info, SWAP_SUFFIX, '');
  } catch (error) {
    target.halfDone(error);
    throw error;
  }
}

/**
 * Gives the synced `.cleaned` files of one segment the names of the files that they replace, at a start, when nobody else
 * is there. Throws StorageError; the next start finishes it, or begins anew.
 */
export function replaceSegment(storage: Storage, dir: string, info: CleanedSegmentInfo): void {
  announceSwap(storage, dir, [info], () => {});
  renameFiles(storage, dir, info, SWAP_SUFFIX, '');
}

function announceSwap(
  storage: Storage,
  dir: string,
  cleaned: readonly CleanedSegmentInfo[],
  halfDone: (error: unknown) => void,
): void {
  try {
    for (const info of cleaned.toReversed()) renameFiles(storage, dir, info, CLEANED_SUFFIX, SWAP_SUFFIX);
  } catch (error) {
    try {
      for (const info of cleaned) {
        for (const suffix of suffixesOf(info)) storage.removeNow(pathOf(dir, info, suffix) + SWAP_SUFFIX);
        removeCleanedFiles(storage, dir, info.baseOffset);
      }
    } catch {
      // A start would swap in what may be long outdated by then.
      halfDone(error);
    }
    throw error;
  }
}

function renameFiles(
  storage: Storage,
  dir: string,
  info: CleanedSegmentInfo,
  from: string,
  to: string,
): void {
  for (const suffix of suffixesOf(info)) {
    const path = pathOf(dir, info, suffix);
    storage.rename(path + from, path + to);
  }
}

function pathOf(dir: string, { baseOffset }: CleanedSegmentInfo, suffix: string): string {
  return `${dir}/${offsetName(baseOffset)}${suffix}`;
}
