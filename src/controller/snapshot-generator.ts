import type { Logger } from '../base/ports.ts';
import type { MetadataImage } from '../metadata/image.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import type { CommittedMetadata } from './ports.ts';

/** Where snapshots go; a `RaftNode` of metadata records is one. */
export interface SnapshotSink {
  readonly lastCommittedTimestampMs: number;
  writeSnapshot(
    id: { readonly endOffset: number; readonly epoch: number },
    lastTimestampMs: number,
    entries: Iterable<MetadataRecord>,
  ): Promise<void>;
}

export interface SnapshotOptions {
  readonly sink: SnapshotSink;
  readonly image: () => MetadataImage;
  readonly logger: Logger;
  readonly nowMs: () => number;
  /** `metadata.log.max.record.bytes.between.snapshots`. */
  readonly maxBytesBetween: number;
  /** `metadata.log.max.snapshot.interval.ms`; 0 for no limit of time. */
  readonly maxIntervalMs: number;
}

/**
 * Decides when the metadata log gets a snapshot: after so many bytes of records, or so long after the last one when
 * anything has changed. A listener of the log that is registered after the one that keeps the image.
 */
export class SnapshotGenerator {
  readonly #options: SnapshotOptions;
  #bytes = 0;
  #lastMs: number | undefined;
  #underWay: Promise<void> | undefined;

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  onSnapshot(): void {
    this.#bytes = 0;
  }

  onCommit(batch: CommittedMetadata & { readonly sizeInBytes: number }, more: boolean): void {
    this.#bytes += batch.sizeInBytes;
    const now = this.#options.nowMs();
    this.#lastMs ??= now;
    const { maxBytesBetween, maxIntervalMs } = this.#options;
    const old = maxIntervalMs > 0 && now - this.#lastMs >= maxIntervalMs;
    if (more || this.#underWay !== undefined || (this.#bytes < maxBytesBetween && !old)) return;
    // Within a metadata transaction, or a batch that begins one, the image stands for no offset of the log.
    const lastOffset = batch.baseOffset + batch.entries.length - 1;
    if (this.#options.image().offset === lastOffset) this.#write(now);
  }

  /** Resolves when no snapshot is being written. */
  async idle(): Promise<void> {
    await this.#underWay;
  }

  #write(now: number): void {
    const { sink, image, logger } = this.#options;
    const { offset, epoch } = image();
    if (offset < 0) return;
    this.#bytes = 0;
    this.#lastMs = now;
    const frozen = image().freeze();
    this.#underWay = sink
      .writeSnapshot({ endOffset: offset + 1, epoch }, sink.lastCommittedTimestampMs, frozen.records())
      .catch((error: Error) =>
        logger.error('a metadata snapshot could not be written', { error: error.message }),
      )
      .finally(() => {
        this.#underWay = undefined;
      });
  }
}
