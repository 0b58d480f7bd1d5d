import type { LogConfig } from '../config/log-config.ts';
import type { CleanedGroup } from './cleaner/clean-log.ts';
import { swapIn } from './cleaner/swap.ts';
import { SegmentGraveyard } from './folder-work.ts';
import type { LoadedLog } from './loaded-log.ts';
import type { LogReader } from './reader.ts';
import { rollMsOf } from './retention.ts';
import { drawJitter, Segment } from './segment.ts';
import type { LogTail } from './tail-cache.ts';

interface SegmentLifecycleInput {
  readonly loaded: LoadedLog;
  readonly config: () => LogConfig;
  readonly tail: LogTail;
  readonly reader: LogReader;
  /** The disk failed where it can't be undone: what lies in the folder is for a start to finish. */
  readonly halfDone: (error: unknown) => void;
}

/**
 * Begins a log's segments, cuts them and takes them away, with the files beside them and what is remembered of their bytes.
 * It knows no offsets but those where segments begin. All its methods throw StorageError.
 */
export class SegmentLifecycle {
  readonly #input: SegmentLifecycleInput;
  readonly #loaded: LoadedLog;
  readonly #graveyard: SegmentGraveyard;

  constructor(input: SegmentLifecycleInput) {
    this.#input = input;
    this.#loaded = input.loaded;
    this.#graveyard = new SegmentGraveyard(input.loaded.ports);
  }

  /** Whether the active segment has no room for a batch, or has lasted long enough; see `Segment.mustRoll`. */
  mustRollFor(
    bytes: number,
    staged: { readonly stagedBytes: number; readonly stagedCount: number },
    lastOffset: number,
    timestamp: number,
    nowMs: number,
  ): boolean {
    const config = this.#input.config();
    const limits = { segmentBytes: config.segmentBytes, segmentMs: rollMsOf(config) };
    const { stagedBytes, stagedCount } = staged;
    const { active } = this.#loaded.segments;
    return active.mustRoll(bytes, stagedBytes, stagedCount, lastOffset, timestamp, nowMs, limits);
  }

  /** Whether the active segment has lasted as long as segment.ms lets it. */
  isRollDue(): boolean {
    const { segments, ports } = this.#loaded;
    return segments.active.hasLasted(ports.clock.wallMs(), rollMsOf(this.#input.config()));
  }

  /** Closes the active segment and begins one at `baseOffset`. False where the active one begins there. */
  roll(baseOffset: number): boolean {
    const { segments, producerFiles } = this.#loaded;
    const old = segments.active;
    if (baseOffset === old.baseOffset) return false;
    old.finishIndexes();
    producerFiles.writeTxnIndex(old, baseOffset);
    producerFiles.takeSnapshot(baseOffset);
    this.#add(baseOffset);
    this.#input.tail.clear();
    if (old.sizeInBytes === 0) {
      // Its base is too far below the next offset; an empty file in the middle would be no harm, but is of no use.
      this.#drop([old]);
      segments.remove(old);
    }
    return true;
  }

  /** Takes the oldest `count` away, one after the other: where the disk fails the rest stays as it is. */
  dropFirst(count: number): void {
    const { segments, ports } = this.#loaded;
    for (let dropped = 0; dropped < count; dropped += 1) {
      const { first } = segments;
      try {
        this.#drop([first]);
      } finally {
        if (ports.storage.sizeOf(first.log.path) === undefined) segments.removeFirst(1);
      }
    }
  }

  /** Cuts off all batches from `offset` on, which lies in a segment. */
  cutAt(offset: number): void {
    const { segments, ports } = this.#loaded;
    this.#loseNames();
    this.#drop(segments.removeAbove(offset));
    segments.active.truncateTo(offset, ports.clock.wallMs());
  }

  /** Takes all segments away and begins anew at `offset`. */
  beginAnew(offset: number): void {
    const { segments } = this.#loaded;
    this.#loseNames();
    this.#drop(segments.removeAll());
    this.#add(offset);
  }

  /** Puts cleaned segments in the place of `old`; see `swapIn`. */
  swap(old: readonly Segment[], { cleaned }: CleanedGroup): void {
    const { dir, context, segments, producers, producerFiles } = this.#loaded;
    swapIn(old, cleaned, {
      dir,
      context,
      segments,
      producers,
      producerFiles,
      bury: (kept) => this.#graveyard.bury(old, this.#input.config().fileDeleteDelayMs, kept),
      halfDone: this.#input.halfDone,
    });
    this.#input.reader.invalidate();
  }

  /** Closes the files; what was taken away and is still there goes when the log is opened the next time. */
  close(): void {
    this.#input.reader.invalidate();
    this.#graveyard.close();
    for (const segment of this.#loaded.segments.all) segment.close();
    this.#input.tail.clear();
  }

  /** What is appended behind a cut must not survive a power loss without the cut: the next sync takes the names along. */
  #loseNames(): void {
    this.#loaded.context.folder.namesUnsynced = true;
  }

  #add(baseOffset: number): void {
    const { context, dir, ports, segments, shared } = this.#loaded;
    const rollJitterMs = drawJitter(this.#input.config(), shared.random);
    const nowMs = ports.clock.wallMs();
    const segment = new Segment(context, dir, baseOffset, { sizeInBytes: undefined, nowMs, rollJitterMs });
    segment.create();
    segments.add(segment);
    for (const loaded of segments.all.slice(0, -5)) loaded.unloadIndexes();
  }

  #drop(segments: readonly Segment[]): void {
    this.#input.reader.invalidate();
    this.#graveyard.bury(segments, this.#input.config().fileDeleteDelayMs);
    this.#loaded.producerFiles.forget(segments);
  }
}
