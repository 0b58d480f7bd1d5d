import type { LogRead, PendingRead, TransactionalAppend } from '../../log/index.ts';
import type { Written } from '../../protocol/record-batch/builder.ts';

/** What an append has to do with a transaction. */
export interface CoordinatorAppend {
  /** Of data. */
  readonly transaction?: TransactionalAppend | undefined;
  /** Of a marker. */
  readonly transactionVersion?: number;
}

/** One partition of a coordinator's topic, led by this node. */
export interface CoordinatorLog {
  readonly startOffset: number;
  /** Behind the last record that can be read. */
  readonly endOffset: number;
  /** Most bytes that one batch may have. */
  readonly batchBytesMax: number;
  /**
   * Appends one batch and returns the offset of its first record. `committed` runs once, when the batch is below the
   * high watermark, or with why it never will be; it may run before this returns. Throws `ProtocolError` where nothing
   * was appended; `committed` then never runs.
   */
  append(
    batch: Buffer,
    committed: (error: Error | undefined) => void,
    transaction?: CoordinatorAppend,
  ): number;
  /** Batches from an offset on, the first one however large. */
  read(from: number, maxBytes: number): LogRead | PendingRead;
}

/** A record on its way to the log or out of it. */
export interface RecordBytes {
  readonly key: Uint8Array | Written;
  /** Null for a tombstone. */
  readonly value: Uint8Array | Written | null;
}

/** How a coordinator's records look in its topic. */
export interface RecordSerde<R> {
  /** The bytes are valid until the next call. */
  encode(record: R): RecordBytes;
  /** Undefined for a record of a type that this version does not know. Nothing of the result may point into the bytes. */
  decode(key: Uint8Array, value: Uint8Array | null): R | undefined;
}
