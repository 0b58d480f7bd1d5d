import type { Logger } from '../base/ports.ts';
import type { LogConfig } from '../config/log-config.ts';
import type { Segment } from './segment.ts';
import type { Segments } from './segments.ts';

type RetentionReason = 'log start' | 'retention.bytes' | 'retention.ms';

/** The log as far as retention looks at it. */
export interface RetentionView {
  readonly topic: string;
  readonly partition: number;
  readonly config: Pick<LogConfig, 'retentionMs' | 'retentionBytes' | 'cleanupPolicy'>;
  readonly logStartOffset: number;
  /** Behind the records that were taken, written or not: they have a right to be kept as long as others. */
  readonly assignedEndOffset: number;
  readonly highWatermark: number;
}

/** Whether a change of settings may let other segments go, or be compacted. */
export function concernsOldSegments(before: LogConfig, now: LogConfig): boolean {
  const names = [
    'retentionMs',
    'retentionBytes',
    'segmentMs',
    'deleteRetentionMs',
    'minCompactionLagMs',
    'maxCompactionLagMs',
    'minCleanableDirtyRatio',
  ] as const;
  const hasOtherPolicy = before.cleanupPolicy.join() !== now.cleanupPolicy.join();
  return hasOtherPolicy || names.some((name) => before[name] !== now[name]);
}

/** How long a segment may be active: what is to be compacted in time must be closed in time. */
export function rollMsOf(
  config: Pick<LogConfig, 'segmentMs' | 'cleanupPolicy' | 'maxCompactionLagMs'>,
): number {
  const { segmentMs, cleanupPolicy, maxCompactionLagMs } = config;
  return cleanupPolicy.includes('compact') ? Math.min(segmentMs, maxCompactionLagMs) : segmentMs;
}

/** Chooses the segments of one log that may go, and says why they do and why the next one does not. */
export class Retention {
  readonly #view: RetentionView;
  readonly #segments: Segments;
  readonly #logger: Logger;
  /** Segments of which it was said that they have timestamps ahead of the clock. */
  #saidAhead: WeakSet<Segment> | undefined;

  constructor(view: RetentionView, segments: Segments, logger: Logger) {
    this.#view = view;
    this.#segments = segments;
    this.#logger = logger;
  }

  /**
   * Has `deleteFirst` take away the oldest segments, for one reason after the other, in the order in which Apache looks; it
   * says how many it could. Returns how many went. Throws StorageError.
   */
  run(nowMs: number, deleteFirst: (count: number) => number): number {
    let deleted = 0;
    for (const reason of this.#reasons()) {
      const count = this.#countExpired(reason, nowMs);
      if (count === 0) continue;
      for (const segment of this.#segments.all.slice(0, count)) this.#say(segment, reason, nowMs);
      const gone = deleteFirst(count);
      if (gone < count)
        this.#logger.warn(
          `${count - gone} of them stay in ${this.#name}: no space for a snapshot of their producers`,
        );
      deleted += gone;
    }
    const { baseOffset } = this.#segments.first;
    this.#logger.debug(`keeping segment ${baseOffset} of ${this.#name}: ${this.whyKept(nowMs)}`);
    return deleted;
  }

  get #name(): string {
    return `${this.#view.topic}-${this.#view.partition}`;
  }

  /** Without the policy `delete` only the log start counts. */
  #reasons(): readonly RetentionReason[] {
    if (!this.#view.config.cleanupPolicy.includes('delete')) return ['log start'];
    return ['log start', 'retention.bytes', 'retention.ms'];
  }

  /** A segment with offsets at or above the high watermark stays, and so does an active one that is empty. */
  #countExpired(reason: RetentionReason, nowMs: number): number {
    const mayGo = this.#ruleFor(reason, nowMs);
    let count = 0;
    for (const segment of this.#segments.all) {
      const next = this.#segments.at(count + 1);
      const endOffset = next?.baseOffset ?? this.#view.assignedEndOffset;
      if (this.#view.highWatermark < endOffset) break;
      if (next === undefined && segment.sizeInBytes === 0) break;
      if (!mayGo(segment, next)) break;
      count += 1;
    }
    return count;
  }

  #ruleFor(reason: RetentionReason, nowMs: number): Rule {
    const { retentionMs, retentionBytes } = this.#view.config;
    if (reason === 'log start')
      return (_, next) => next !== undefined && next.baseOffset <= this.#view.logStartOffset;
    if (reason === 'retention.bytes') {
      let excess = retentionBytes < 0 ? -1 : this.#segments.sizeInBytes - retentionBytes;
      return (segment) => {
        excess -= segment.sizeInBytes;
        return excess >= 0;
      };
    }
    if (retentionMs < 0) return () => false;
    return (segment) => {
      this.#sayIfAhead(segment, nowMs);
      return nowMs - newestMs(segment) > retentionMs;
    };
  }

  /** Such a segment stays until the clock has caught up, and all that follow it stay with it. */
  #sayIfAhead(segment: Segment, nowMs: number): void {
    const aheadMs = newestMs(segment) - nowMs;
    if (aheadMs <= 0 || this.#saidAhead?.has(segment) === true) return;
    this.#saidAhead ??= new WeakSet();
    this.#saidAhead.add(segment);
    this.#logger.warn(
      `segment ${segment.baseOffset} of ${this.#name} has a timestamp ahead of the clock and stays so much longer than retention.ms says; message.timestamp.after.max.ms bounds what is taken`,
      { aheadMs },
    );
  }

  #say(segment: Segment, reason: RetentionReason, nowMs: number): void {
    const { baseOffset, sizeInBytes } = segment;
    const why = this.#whyDeleted(segment, reason, nowMs);
    this.#logger.info(`deleting segment ${baseOffset} of ${this.#name}: ${why}`, { sizeInBytes });
  }

  #whyDeleted(segment: Segment, reason: RetentionReason, nowMs: number): string {
    const { config, logStartOffset } = this.#view;
    switch (reason) {
      case 'log start':
        return `it ends before the log start ${logStartOffset}`;
      case 'retention.bytes':
        return `the log has ${this.#segments.sizeInBytes} bytes, retention.bytes is ${config.retentionBytes}`;
      case 'retention.ms': {
        const ageMs = nowMs - newestMs(segment);
        const newest =
          segment.maxTimestamp >= 0n ? 'its newest timestamp is' : 'it has no timestamps, and its file is';
        return `${newest} ${ageMs} ms old, retention.ms is ${config.retentionMs}`;
      }
    }
  }

  /** Why the oldest segment is still there. Throws StorageError. */
  whyKept(nowMs: number): string {
    const { first, sizeInBytes, count } = this.#segments;
    const { config, highWatermark, assignedEndOffset } = this.#view;
    if (!config.cleanupPolicy.includes('delete')) return 'cleanup.policy has no delete';
    if (count === 1 && first.sizeInBytes === 0) return 'it is empty and active';
    const endOffset = this.#segments.at(1)?.baseOffset ?? assignedEndOffset;
    if (highWatermark < endOffset) return `it reaches the high watermark ${highWatermark}`;
    const { retentionMs, retentionBytes } = config;
    const bySize =
      retentionBytes < 0
        ? 'no limit'
        : `${retentionBytes}, without it there were ${sizeInBytes - first.sizeInBytes}`;
    const byTime =
      retentionMs < 0
        ? 'no limit'
        : `${retentionMs}, its newest timestamp is ${nowMs - newestMs(first)} ms old`;
    return `retention.bytes is ${bySize}; retention.ms is ${byTime}`;
  }
}

type Rule = (segment: Segment, next: Segment | undefined) => boolean;

/** Where no record has a timestamp the time of the file stands for it, as in Apache. */
const newestMs = (segment: Segment): number => Number(segment.largestTimestamp);
