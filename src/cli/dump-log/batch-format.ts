import type { KafkaRecord } from '../../protocol/record-batch/index.ts';

export interface DumpedRecord extends KafkaRecord {
  /** The line of the record, without key and value. */
  metadata(): string;
}

/** How batches of one format are read and printed; the bytes are those of one whole batch. */
export interface BatchFormat {
  lastOffset(bytes: Uint8Array): number;
  isControl(bytes: Uint8Array): boolean;
  /** Iterating throws where the records are malformed. */
  records(bytes: Uint8Array): Generator<DumpedRecord, void, undefined>;
  /** The line of the batch. Throws where it is malformed. */
  line(bytes: Uint8Array, position: number): string;
}
