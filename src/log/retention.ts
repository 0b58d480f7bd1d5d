import type { LogConfig } from '../config/log-config.ts';
import type { Segment } from './segment.ts';
import type { Segments } from './segments.ts';

export type RetentionReason = 'log start' | 'retention.bytes' | 'retention.ms';

/** The log as far as retention looks at it. */
export interface RetentionView {
  readonly config: Pick<LogConfig, 'retentionMs' | 'retentionBytes'>;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly highWatermark: number;
}

/** In the order in which Apache looks; without the policy `delete` only the log start counts. */
export function reasonsFor(config: Pick<LogConfig, 'cleanupPolicy'>): readonly RetentionReason[] {
  if (!config.cleanupPolicy.includes('delete')) return ['log start'];
  return ['log start', 'retention.bytes', 'retention.ms'];
}

/**
 * How many of the oldest segments may go for one reason. A segment with offsets at or above the high watermark stays, and
 * so does an active one that is empty.
 */
export function countExpired(
  segments: Segments,
  reason: RetentionReason,
  view: RetentionView,
  nowMs: number,
): number {
  const mayGo = ruleFor(segments, reason, view, nowMs);
  let count = 0;
  for (const segment of segments.all) {
    const next = segments.at(count + 1);
    const endOffset = next?.baseOffset ?? view.logEndOffset;
    if (view.highWatermark < endOffset) break;
    if (next === undefined && segment.sizeInBytes === 0) break;
    if (!mayGo(segment, next)) break;
    count += 1;
  }
  return count;
}

type Rule = (segment: Segment, next: Segment | undefined) => boolean;

function ruleFor(segments: Segments, reason: RetentionReason, view: RetentionView, nowMs: number): Rule {
  const { retentionMs, retentionBytes } = view.config;
  if (reason === 'log start')
    return (_, next) => next !== undefined && next.baseOffset <= view.logStartOffset;
  if (reason === 'retention.bytes') {
    let excess = retentionBytes < 0 ? -1 : segments.sizeInBytes - retentionBytes;
    return (segment) => {
      excess -= segment.sizeInBytes;
      return excess >= 0;
    };
  }
  if (retentionMs < 0) return () => false;
  return (segment) => {
    const newest = segment.maxTimestamp;
    // Without timestamps Apache takes the time of the file; the time since it was opened is the safe side of that.
    const newestMs = newest >= 0n ? Number(newest) : segment.createdMs;
    return nowMs - newestMs > retentionMs;
  };
}
