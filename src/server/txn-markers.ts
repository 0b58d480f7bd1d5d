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
  readonly #done: () => void;
  #open = 0;

  constructor(done: () => void) {
    this.#done = done;
  }

  get isComplete(): boolean {
    return this.#open === 0;
  }

  asked(): void {
    this.#open += 1;
  }

  came(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#done();
  }
}

/** A marker on its way to one partition. */
interface Gathered {
  readonly marker: TxnMarker;
  readonly result: PartitionResult;
  readonly answers: Answers;
}

type GatheredByPartition = Map<number, Gathered[]>;

/**
 * Ends transactions in the partitions led here (KIP-98): appends the markers, to those of the groups' topic through their
 * coordinator, where pending offsets take effect with it. What a tick brings is appended at its end, all markers of one
 * partition with one write, so that a producer which has its answer finds its transaction over with the next request. In
 * a partition, markers stand in the order of the calls. At most one is gathered for each partition of each transaction
 * whose end came in the tick, so requests bound them.
 */
export class TxnMarkerWriter {
  readonly #options: TxnMarkerWriterOptions;
  #gathered = new Map<string, GatheredByPartition>();

  constructor(options: TxnMarkerWriterOptions) {
    this.#options = options;
  }

  /** `done` runs once, after this has returned, with a result for each marker and partition as they were asked. */
  write(markers: readonly TxnMarker[], done: (results: TxnMarkerResult[]) => void): void {
    const answers = new Answers(() => done(results));
    const results = new Array<TxnMarkerResult>(markers.length);
    for (let at = 0; at < markers.length; at++) results[at] = this.#gather(markers[at]!, answers);
    if (answers.isComplete) this.#options.turn.later(() => done(results));
  }

  #gather(marker: TxnMarker, answers: Answers): TxnMarkerResult {
    const topics = new Array<TxnMarkerResult['topics'][number]>(marker.topics.length);
    for (let at = 0; at < topics.length; at++) {
      const { name, partitionIndexes } = marker.topics[at]!;
      const partitions = new Array<PartitionResult>(partitionIndexes.length);
      for (let n = 0; n < partitions.length; n++) {
        partitions[n] = this.#ask(marker, name, partitionIndexes[n]!, answers);
      }
      topics[at] = { name, partitions };
    }
    return { producerId: marker.producerId, topics };
  }

  #ask(marker: TxnMarker, topic: string, partitionIndex: number, answers: Answers): PartitionResult {
    const result: PartitionResult = { partitionIndex, errorCode: Errors.NONE };
    if (this.#options.replicas.holds(topic, partitionIndex)) {
      answers.asked();
      this.#add(topic, partitionIndex, { marker, result, answers });
    } else result.errorCode = Errors.UNKNOWN_TOPIC_OR_PARTITION;
    return result;
  }

  #add(topic: string, partition: number, one: Gathered): void {
    if (this.#gathered.size === 0) this.#plan();
    let partitions = this.#gathered.get(topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#gathered.set(topic, partitions);
    }
    const list = partitions.get(partition);
    if (list === undefined) partitions.set(partition, [one]);
    else list.push(one);
  }

  /** Behind the answers of this tick: connections give them to their links, then links to the system. */
  #plan(): void {
    const { turn } = this.#options;
    turn.atEnd(() => turn.atEnd(() => turn.atEnd(() => this.#writeGathered())));
  }

  #writeGathered(): void {
    const gathered = this.#gathered;
    this.#gathered = new Map();
    for (const [topic, partitions] of gathered) {
      for (const [partition, list] of partitions) {
        if (topic !== CONSUMER_OFFSETS_TOPIC) this.#append(topic, partition, list);
        else for (const one of list) this.#complete(one);
      }
    }
  }

  #append(topic: string, partition: number, list: readonly Gathered[]): void {
    const { replicas, timeoutMs } = this.#options;
    const last = list.length - 1;
    const entries = list.map(({ marker }, at) => this.#entryOf(marker, topic, partition, at === last));
    replicas.append(entries, ACKS_ALL, timeoutMs(), 'coordinator', true, (results) => {
      for (const [at, { result, answers }] of list.entries()) {
        result.errorCode = results[at]!.errorCode;
        answers.came();
      }
    });
  }

  /** The last one takes those before it along to the file. */
  #entryOf(marker: TxnMarker, topic: string, partition: number, atOnce: boolean): ProduceEntry {
    const { producerId, producerEpoch, coordinatorEpoch, transactionResult, transactionVersion } = marker;
    const records = endTxnMarkerBatch({
      committed: transactionResult,
      producerId,
      producerEpoch,
      coordinatorEpoch,
      timestamp: BigInt(this.#options.clock.wallMs()),
    });
    return { topic, topicId: ZERO_UUID, partition, records, transaction: { transactionVersion, atOnce } };
  }

  #complete({ marker, result, answers }: Gathered): void {
    const { producerId, producerEpoch, coordinatorEpoch, transactionResult, transactionVersion } = marker;
    const completion = {
      producerId,
      producerEpoch,
      coordinatorEpoch,
      result: transactionResult ? ('commit' as const) : ('abort' as const),
      transactionVersion,
    };
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
