import { MetadataReplayError } from './image.ts';
import type { MetadataRecord } from './records.ts';

/** What records are replayed into: an image, or a state around one. */
export interface ReplayTarget {
  replay(record: MetadataRecord, offset: number): void;
  advance(offset: number, epoch: number): void;
}

/**
 * Feeds batches of the metadata log into an image. Records of a metadata transaction (KIP-866) wait until its end and
 * are dropped by an abort, so that the image never shows half of one.
 */
export class MetadataLoader {
  readonly #target: ReplayTarget;
  #transaction:
    | { readonly startOffset: number; readonly waiting: { record: MetadataRecord; offset: number }[] }
    | undefined;

  constructor(target: ReplayTarget) {
    this.#target = target;
  }

  /** Offset of the transaction that has begun and not ended; undefined where there is none. */
  get openTransactionOffset(): number | undefined {
    return this.#transaction?.startOffset;
  }

  /** Replays records that follow each other from `baseOffset`. Throws {@link MetadataReplayError}. */
  load(records: readonly MetadataRecord[], baseOffset: number, epoch: number): void {
    let offset = baseOffset;
    for (const record of records) this.#one(record, offset++);
    if (this.#transaction === undefined) this.#target.advance(offset - 1, epoch);
  }

  #one(record: MetadataRecord, offset: number): void {
    const open = this.#transaction;
    if (record.type === 'BeginTransactionRecord') {
      if (open !== undefined)
        throw new MetadataReplayError(`a transaction begins at ${offset} within another`);
      this.#transaction = { startOffset: offset, waiting: [] };
    } else if (record.type === 'EndTransactionRecord' || record.type === 'AbortTransactionRecord') {
      if (open === undefined)
        throw new MetadataReplayError(`${record.type} at ${offset}, but none has begun`);
      this.#transaction = undefined;
      if (record.type === 'AbortTransactionRecord') return;
      for (const one of open.waiting) this.#target.replay(one.record, one.offset);
    } else if (open !== undefined) {
      open.waiting.push({ record, offset });
    } else {
      this.#target.replay(record, offset);
    }
  }
}
