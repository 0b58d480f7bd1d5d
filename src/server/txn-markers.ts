import type { Clock, Turn } from '../base/ports.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import type { GroupCoordinator } from '../coordinator/index.ts';
import { type ErrorCode, Errors } from '../protocol/errors.ts';
import type {
  WriteTxnMarkersRequest,
  WriteTxnMarkersResponse,
} from '../protocol/messages/write-txn-markers.ts';
import { endTxnMarkerBatch } from '../protocol/record-batch/control.ts';
import type { ProduceEntry } from '../replication/delayed-produce.ts';
import type { ReplicaManager } from '../replication/replica-manager.ts';
import { CONSUMER_OFFSETS_TOPIC } from './topic-creation.ts';

export type TxnMarker = WriteTxnMarkersRequest['markers'][number];
export type TxnMarkerResult = WriteTxnMarkersResponse['markers'][number];

const ACKS_ALL = -1;

export interface TxnMarkerWriterOptions {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly replicas: Pick<ReplicaManager, 'append' | 'holds'>;
  readonly groups: Pick<GroupCoordinator, 'completeTransaction'>;
  /** How long a marker may wait for the other replicas. */
  readonly timeoutMs: () => number;
}

interface PartitionResult {
  readonly partitionIndex: number;
  errorCode: ErrorCode;
}

/** Results as they come; the last one brings the answer. */
class Answers {
  readonly #turn: Turn;
  readonly #done: () => void;
  // One more than there are, until all have been asked.
  #open = 1;
  #allAsked = false;

  constructor(turn: Turn, done: () => void) {
    this.#turn = turn;
    this.#done = done;
  }

  asked(count: number): void {
    this.#open += count;
  }

  allAsked(): void {
    this.came();
    this.#allAsked = true;
  }

  came(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    if (this.#allAsked) this.#done();
    else this.#turn.later(this.#done);
  }
}

/**
 * Ends transactions in the partitions led here (KIP-98): appends the markers, to those of the groups' topic through their
 * coordinator, where pending offsets take effect with it. In a partition, markers stand in the order of the calls.
 */
export class TxnMarkerWriter {
  readonly #options: TxnMarkerWriterOptions;

  constructor(options: TxnMarkerWriterOptions) {
    this.#options = options;
  }

  /** `done` runs once, after this has returned, with a result for each marker and partition as they were asked. */
  write(markers: readonly TxnMarker[], done: (results: TxnMarkerResult[]) => void): void {
    const results: TxnMarkerResult[] = [];
    const answers = new Answers(this.#options.turn, () => done(results));
    for (const marker of markers) results.push(this.#writeOne(marker, answers));
    answers.allAsked();
  }

  #writeOne(marker: TxnMarker, answers: Answers): TxnMarkerResult {
    const { replicas } = this.#options;
    const entries: ProduceEntry[] = [];
    const appended: PartitionResult[] = [];
    const topics = marker.topics.map(({ name, partitionIndexes }) => {
      const partitions = partitionIndexes.map((partitionIndex) => {
        const result: PartitionResult = { partitionIndex, errorCode: Errors.NONE };
        if (!replicas.holds(name, partitionIndex)) {
          result.errorCode = Errors.UNKNOWN_TOPIC_OR_PARTITION;
        } else if (name === CONSUMER_OFFSETS_TOPIC) {
          this.#complete(marker, result, answers);
        } else {
          entries.push(this.#entryOf(marker, name, partitionIndex));
          appended.push(result);
        }
        return result;
      });
      return { name, partitions };
    });
    if (entries.length > 0) this.#append(entries, appended, answers);
    return { producerId: marker.producerId, topics };
  }

  #entryOf(marker: TxnMarker, topic: string, partition: number): ProduceEntry {
    const { producerId, producerEpoch, coordinatorEpoch, transactionResult, transactionVersion } = marker;
    const records = endTxnMarkerBatch({
      committed: transactionResult,
      producerId,
      producerEpoch,
      coordinatorEpoch,
      timestamp: BigInt(this.#options.clock.wallMs()),
    });
    return { topic, topicId: ZERO_UUID, partition, records, transaction: { transactionVersion } };
  }

  #append(entries: readonly ProduceEntry[], into: readonly PartitionResult[], answers: Answers): void {
    const { replicas, timeoutMs } = this.#options;
    answers.asked(1);
    replicas.append(entries, ACKS_ALL, timeoutMs(), 'coordinator', true, (results) => {
      for (const [at, { errorCode }] of results.entries()) into[at]!.errorCode = errorCode;
      answers.came();
    });
  }

  #complete(marker: TxnMarker, result: PartitionResult, answers: Answers): void {
    const { producerId, producerEpoch, coordinatorEpoch, transactionResult, transactionVersion } = marker;
    const completion = {
      producerId,
      producerEpoch,
      coordinatorEpoch,
      result: transactionResult ? ('commit' as const) : ('abort' as const),
      transactionVersion,
    };
    answers.asked(1);
    this.#options.groups.completeTransaction(result.partitionIndex, completion, (code) => {
      result.errorCode = toldToTransactions(code);
      answers.came();
    });
  }
}

/** Transaction coordinators know of partitions, not of the coordinators on top of them. */
function toldToTransactions(code: ErrorCode): ErrorCode {
  switch (code) {
    case Errors.COORDINATOR_NOT_AVAILABLE:
    case Errors.COORDINATOR_LOAD_IN_PROGRESS:
    case Errors.NOT_COORDINATOR:
      return Errors.NOT_LEADER_OR_FOLLOWER;
    default:
      return code;
  }
}
