import type { MetadataDelta } from './delta.ts';
import { MetadataImage } from './image.ts';
import { MetadataLoader } from './loader.ts';
import type { MetadataRecord } from './records.ts';

export type DeltaListener = (delta: MetadataDelta, image: MetadataImage) => void;

/** Committed records as the log gives them: all those of a group commit at once. */
export interface CommittedRecords {
  readonly baseOffset: number;
  readonly epoch: number;
  readonly entries: readonly MetadataRecord[];
}

/**
 * The broker's side of the metadata log: keeps an image of what is committed and tells listeners what changed, once
 * for all the batches of a group commit. Fits `RaftListener` of `raft/ports.ts`.
 */
export class MetadataPublisher {
  #image = new MetadataImage();
  #loader = new MetadataLoader(this.#image);
  readonly #listeners: DeltaListener[] = [];
  #started = false;

  /** Another object after a snapshot was loaded. */
  get image(): MetadataImage {
    return this.#image;
  }

  /** Called in the order of registration, synchronously, before the controller's answers to these changes leave. */
  onDelta(listener: DeltaListener): void {
    this.#listeners.push(listener);
  }

  /** What a snapshot holds replaces all that was there. */
  onSnapshot(entries: Iterable<MetadataRecord>, lastOffset: number, epoch: number): void {
    this.#image = new MetadataImage();
    this.#loader = new MetadataLoader(this.#image);
    this.#started = false;
    for (const entry of entries) this.#image.replay(entry, lastOffset);
    this.#image.advance(lastOffset, epoch);
  }

  /** `more`: further batches come in this call of the log, so that listeners are not told yet. */
  onCommit(batch: CommittedRecords, more: boolean): void {
    this.#loader.load(batch.entries, batch.baseOffset, batch.epoch);
    if (!more) this.publish();
  }

  /** Tells the listeners what is new; nothing to do where nothing is. */
  publish(): void {
    if (this.#loader.openTransactionOffset !== undefined) return;
    const delta = this.#image.takeDelta();
    if (delta.isEmpty && this.#started) return;
    delta.isInitial = !this.#started;
    this.#started = true;
    for (const listener of this.#listeners) listener(delta, this.#image);
  }
}
