import type { LogConfig } from '../../config/log-config.ts';
import type { Segment } from '../segment.ts';

/** A log as far as the cleaner looks at it. */
export interface CleanableView {
  readonly config: Pick<LogConfig, 'minCompactionLagMs' | 'maxCompactionLagMs'>;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly lastStableOffset: number;
  /** Without the active one. */
  readonly closedSegments: readonly Segment[];
  readonly activeBaseOffset: number;
  /** Up to where it was cleaned, as far as known. */
  readonly cleanedEnd: number | undefined;
}

export interface CompactedView extends CleanableView {
  readonly config: Pick<LogConfig, 'minCompactionLagMs' | 'maxCompactionLagMs' | 'minCleanableDirtyRatio'>;
}

export interface Cleanable {
  /** From here on keys may come again. */
  readonly firstDirtyOffset: number;
  /** The base offset of the first segment that must stay as it is. */
  readonly firstUncleanableOffset: number;
  readonly cleanableBytes: number;
  /** Clean and cleanable ones. */
  readonly totalBytes: number;
  /** Of `totalBytes` those that may be cleaned. */
  readonly dirtyRatio: number;
  /** Something has waited for longer than max.compaction.lag.ms. */
  readonly isOverdue: boolean;
}

/**
 * What the cleaner could do with a log now, by Apache's rules: closed segments below the last stable offset, older than
 * min.compaction.lag.ms. A checkpoint that the log does not reach counts as none. Throws StorageError.
 */
export function cleanableOf(view: CleanableView, nowMs: number): Cleanable {
  const { closedSegments, logStartOffset, cleanedEnd } = view;
  const isValid = cleanedEnd !== undefined && cleanedEnd >= logStartOffset && cleanedEnd <= view.logEndOffset;
  const firstDirtyOffset = isValid ? cleanedEnd : logStartOffset;
  const endOf = (at: number) => closedSegments[at + 1]?.baseOffset ?? view.activeBaseOffset;
  const firstDirty = closedSegments.findIndex((_, at) => endOf(at) > firstDirtyOffset);
  const dirty = firstDirty < 0 ? [] : closedSegments.slice(firstDirty);
  const { minCompactionLagMs, maxCompactionLagMs } = view.config;
  let firstUncleanableOffset = view.activeBaseOffset;
  for (const [at, segment] of dirty.entries()) {
    const isUnstable = endOf(firstDirty + at) > view.lastStableOffset;
    if (isUnstable || (minCompactionLagMs > 0 && Number(segment.maxTimestamp) > nowMs - minCompactionLagMs)) {
      firstUncleanableOffset = segment.baseOffset;
      break;
    }
  }
  let cleanBytes = 0;
  let cleanableBytes = 0;
  closedSegments.forEach(({ baseOffset, sizeInBytes }, at) => {
    if (endOf(at) <= firstDirtyOffset) cleanBytes += sizeInBytes;
    else if (baseOffset < firstUncleanableOffset) cleanableBytes += sizeInBytes;
  });
  const totalBytes = cleanBytes + cleanableBytes;
  return {
    firstDirtyOffset,
    firstUncleanableOffset,
    cleanableBytes,
    totalBytes,
    dirtyRatio: totalBytes === 0 ? 0 : cleanableBytes / totalBytes,
    isOverdue: isOverdue(dirty, maxCompactionLagMs, nowMs),
  };
}

/** How far a log is compacted and why it is not further, for people. Throws StorageError. */
export function compactionText(view: CompactedView, nowMs: number): string {
  const { firstDirtyOffset, firstUncleanableOffset, totalBytes, cleanableBytes, dirtyRatio } = cleanableOf(
    view,
    nowMs,
  );
  const upTo = `compacted up to ${firstDirtyOffset} of ${view.logEndOffset}`;
  const { minCleanableDirtyRatio } = view.config;
  const dirty = `${cleanableBytes} of ${totalBytes} bytes are dirty`;
  if (cleanableBytes > 0) {
    const isDue = dirtyRatio > minCleanableDirtyRatio;
    return `${upTo}: ${dirty}, ${isDue ? 'more' : 'no more'} than min.cleanable.dirty.ratio ${minCleanableDirtyRatio}`;
  }
  if (firstUncleanableOffset >= view.activeBaseOffset) return `${upTo}: the rest is in the active segment`;
  return `${upTo}: segment ${firstUncleanableOffset} waits for min.compaction.lag.ms or for the end of a transaction`;
}

/** Also where the segments themselves are not to be cleaned yet. */
function isOverdue(dirty: readonly Segment[], maxCompactionLagMs: number, nowMs: number): boolean {
  if (maxCompactionLagMs >= Number.MAX_SAFE_INTEGER) return false;
  return dirty.some(
    ({ firstTimestamp }) => firstTimestamp > 0 && firstTimestamp < nowMs - maxCompactionLagMs,
  );
}
