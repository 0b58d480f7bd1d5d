import type { CoordinatorAppend, CoordinatorLog } from '../coordinator/index.ts';
import type { LogRead, PendingRead } from '../log/index.ts';
import type { Partition } from '../replication/partition.ts';

const ACKS_ALL = -1;
/** A coordinator's batch is all that a tick has brought: another turn of the loop would only make its answers wait. */
const AT_ONCE = { transaction: undefined, transactionVersion: undefined, atOnce: true };

/** A partition led here, as its coordinator uses it: what is committed is what all in-sync replicas have. */
export class PartitionCoordinatorLog implements CoordinatorLog {
  readonly #partition: Partition;

  constructor(partition: Partition) {
    this.#partition = partition;
  }

  get startOffset(): number {
    return this.#partition.log.logStartOffset;
  }

  get endOffset(): number {
    return this.#partition.log.logEndOffset;
  }

  get batchBytesMax(): number {
    const { maxMessageBytes, segmentBytes } = this.#partition.log.config;
    return Math.min(maxMessageBytes, segmentBytes);
  }

  append(
    batch: Buffer,
    committed: (error: Error | undefined) => void,
    transaction?: CoordinatorAppend,
  ): number {
    const special =
      transaction === undefined
        ? AT_ONCE
        : {
            transaction: transaction.transaction,
            transactionVersion: transaction.transactionVersion,
            atOnce: true,
          };
    return this.#partition.appendAsLeader(batch, ACKS_ALL, 'coordinator', committed, special).firstOffset;
  }

  read(from: number, maxBytes: number): LogRead | PendingRead {
    return this.#partition.log.read(from, maxBytes, { minOneMessage: true, upTo: this.endOffset });
  }
}
