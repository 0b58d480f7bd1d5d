import type { Clock, Timer, Timers, Turn } from '../../base/ports.ts';
import type { CompressionCodec } from '../../protocol/compression/index.ts';
import { Errors, ProtocolError } from '../../protocol/errors.ts';
import { BatchBuilder } from '../../protocol/record-batch/builder.ts';
import { BATCH_OVERHEAD } from '../../protocol/record-batch/header.ts';
import type { CoordinatorAppend, CoordinatorLog, RecordBytes, RecordSerde } from './ports.ts';
import { type Pace, UNHURRIED_MS } from './result.ts';
import type { TransactionalWrite } from './transactions.ts';

/** Attributes, deltas and lengths of a record: at most so many bytes besides its key and value. */
const RECORD_OVERHEAD_MAX = 40;
const NO_BYTES = new Uint8Array(0);
const FIRST_BATCH_BYTES = 512;
/** What a batch begins with is no more than so much, however large the last one was. */
const BATCH_CAPACITY_BYTES_MAX = 4096;

export interface BatchWriterOptions<R> {
  readonly log: CoordinatorLog;
  readonly serde: RecordSerde<R>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turn: Turn;
  readonly compression: CompressionCodec;
  /** The high watermark passed what was written. */
  readonly onCommitted: () => void;
  /** What was added and what the log has may differ. */
  readonly onFailed: (error: Error) => void;
  /** No append is on its way any more. */
  readonly onIdle: () => void;
}

/**
 * Gathers the records of one tick and appends them as one batch at its end, or earlier where the next ones would not
 * fit; unhurried ones wait for a tick that brings others. Offsets are given when a record is added; that they hold is checked when the batch is appended.
 */
export class BatchWriter<R> {
  readonly #options: BatchWriterOptions<R>;
  #batch: BatchBuilder | undefined;
  #batchBaseOffset = 0;
  /** Of the last batch: the next one begins with as many. */
  #batchBytes = FIRST_BATCH_BYTES;
  #flushPlanned = false;
  #flushFirstPlanned = false;
  readonly #flushTurn = () => {
    this.#flushPlanned = false;
    this.flush();
  };
  readonly #flushFirstTurn = () => {
    this.#flushFirstPlanned = false;
    this.flush();
  };
  /** For records that nothing else brings to the log. */
  #unhurriedTimer: Timer | undefined;
  #nextOffset: number;
  #committedOffset: number;
  /** All that answers wait for is below. */
  #awaitedOffset: number;
  #appendsInFlight = 0;
  #closed = false;
  /** The record that was encoded last, as long as its bytes are valid. */
  #encoded: R | undefined;
  #encodedBytes: RecordBytes = { key: NO_BYTES, value: null };

  constructor(options: BatchWriterOptions<R>, endOffset: number) {
    this.#options = options;
    this.#nextOffset = endOffset;
    this.#committedOffset = endOffset;
    this.#awaitedOffset = endOffset;
  }

  /** Once all below is committed, so is every record that was hurried. */
  get awaitedOffset(): number {
    return this.#awaitedOffset;
  }

  /** All below is committed. */
  get committedOffset(): number {
    return this.#committedOffset;
  }

  get appendsInFlight(): number {
    return this.#appendsInFlight;
  }

  /**
   * Makes room for all of these in one batch. Throws RECORD_LIST_TOO_LARGE where even an empty one is too small, unless
   * they may be split and each of them fits.
   */
  reserve(records: readonly R[], maySplit: boolean): void {
    const { batchBytesMax } = this.#options.log;
    let wanted = 0;
    let largest = 0;
    for (const record of records) {
      const size = this.#sizeOf(record);
      wanted += size;
      largest = Math.max(largest, size);
    }
    if (BATCH_OVERHEAD + (maySplit ? largest : wanted) > batchBytesMax) {
      this.#encoded = undefined;
      const text = `${records.length} records of about ${wanted} bytes do not fit into a batch of ${batchBytesMax}`;
      throw new ProtocolError(Errors.RECORD_LIST_TOO_LARGE, text);
    }
    if (this.#batch !== undefined && this.#batch.sizeInBytes + wanted > batchBytesMax) this.flush();
  }

  /** Adds a record and returns its offset. */
  add(record: R, pace: Pace): number {
    const { log, clock } = this.#options;
    const size = this.#sizeOf(record);
    if (this.#batch !== undefined && this.#batch.sizeInBytes + size > log.batchBytesMax) this.flush();
    const { key, value } = this.#encode(record);
    this.#encoded = undefined;
    const batch = this.#batch ?? this.#openBatch();
    batch.append({ timestamp: clock.wallMs(), key, value });
    const offset = this.#nextOffset;
    this.#nextOffset += 1;
    if (pace === 'unhurried') this.#flushLate();
    else if (pace === 'first') this.#flushFirst();
    else this.#flushSoon();
    return offset;
  }

  /**
   * Appends records of a transaction behind what was gathered, as one batch of its producer. Returns the offset of the
   * first. Throws ProtocolError where nothing was appended.
   */
  appendTransactional(records: readonly R[], write: TransactionalWrite): number {
    const { serde, clock, compression, log } = this.#options;
    const { producerId, producerEpoch, transaction } = write;
    const batch = new BatchBuilder({ compression, producerId, producerEpoch, isTransactional: true });
    const timestamp = clock.wallMs();
    for (const record of records) batch.append({ timestamp, ...serde.encode(record) });
    const bytes = batch.build();
    if (bytes.length > log.batchBytesMax) {
      const text = `${records.length} records have ${bytes.length} bytes, and a batch at most ${log.batchBytesMax}`;
      throw new ProtocolError(Errors.RECORD_LIST_TOO_LARGE, text);
    }
    return this.appendBatch(bytes, records.length, { transaction });
  }

  /** Appends a batch of its own behind what was gathered, and returns its offset. Throws where nothing was appended. */
  appendBatch(bytes: Buffer, count: number, options: CoordinatorAppend): number {
    const first = this.#nextOffset;
    this.#appendsInFlight += 1;
    let offset: number;
    try {
      offset = this.#options.log.append(bytes, (error) => this.#settled(first + count, error), options);
    } catch (error) {
      this.#appendsInFlight -= 1;
      throw error;
    }
    this.#nextOffset = first + count;
    this.#awaitedOffset = this.#nextOffset;
    if (offset !== first) this.#fail(new Error(`records expected at offset ${first} are at ${offset}`));
    return first;
  }

  /** Appends what was gathered. */
  flush(): void {
    const batch = this.#batch;
    if (batch === undefined || this.#closed) return;
    this.#batch = undefined;
    this.#encoded = undefined;
    const expected = this.#batchBaseOffset;
    const end = this.#nextOffset;
    this.#batchBytes = batch.sizeInBytes + RECORD_OVERHEAD_MAX;
    this.#appendsInFlight += 1;
    try {
      const first = this.#options.log.append(batch.build(), (error) => this.#settled(end, error));
      // Somebody else wrote into the partition: records were replayed at offsets that they do not have.
      if (first !== expected) this.#fail(new Error(`records expected at offset ${expected} are at ${first}`));
    } catch (error) {
      this.#settled(end, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** What was gathered and not appended is dropped. Appends on their way settle in silence. */
  close(): void {
    this.#closed = true;
    this.#batch = undefined;
    this.#unhurriedTimer?.cancel();
  }

  #flushSoon(): void {
    this.#awaitedOffset = this.#nextOffset;
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    this.#options.turn.later(this.#flushTurn);
  }

  #flushFirst(): void {
    this.#awaitedOffset = this.#nextOffset;
    if (this.#flushFirstPlanned) return;
    this.#flushFirstPlanned = true;
    this.#options.turn.first(this.#flushFirstTurn);
  }

  /** Where nothing else brings the records to the log before. */
  #flushLate(): void {
    if (this.#unhurriedTimer !== undefined) return;
    this.#unhurriedTimer = this.#options.timers.after(UNHURRIED_MS, () => {
      this.#unhurriedTimer = undefined;
      this.flush();
    });
  }

  #sizeOf(record: R): number {
    const { key, value } = this.#encode(record);
    return key.length + (value?.length ?? 0) + RECORD_OVERHEAD_MAX;
  }

  /** Most writes are of one record, which is asked for its size first: it is encoded once. */
  #encode(record: R): RecordBytes {
    if (this.#encoded !== record) {
      this.#encodedBytes = this.#options.serde.encode(record);
      this.#encoded = record;
    }
    return this.#encodedBytes;
  }

  #openBatch(): BatchBuilder {
    const batch = new BatchBuilder({
      compression: this.#options.compression,
      capacity: Math.min(this.#batchBytes, BATCH_CAPACITY_BYTES_MAX),
    });
    this.#batch = batch;
    this.#batchBaseOffset = this.#nextOffset;
    return batch;
  }

  #settled(endOffset: number, error: Error | undefined): void {
    this.#appendsInFlight -= 1;
    if (error !== undefined) this.#fail(error);
    else if (!this.#closed && endOffset > this.#committedOffset) {
      this.#committedOffset = endOffset;
      this.#options.onCommitted();
    }
    if (this.#appendsInFlight === 0) this.#options.onIdle();
  }

  #fail(error: Error): void {
    if (!this.#closed) this.#options.onFailed(error);
  }
}
