import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/list-offsets.ts';
import { ControlType, controlTypeOf } from '../../src/protocol/record-batch/control.ts';
import * as header from '../../src/protocol/record-batch/header.ts';
import { batchPositions, records } from '../../src/protocol/record-batch/records.ts';
import type { KafkaClient } from './kafka-client.ts';
import { promised } from './model.ts';
import type { SeenRecord } from './txn-history.ts';

const FETCH = { request: FetchRequest, response: FetchResponse };
const FETCH_VERSION = 12;
const READ_COMMITTED = 1;
const LIST_OFFSETS = { request: ListOffsetsRequest, response: ListOffsetsResponse };
const LIST_OFFSETS_VERSION = 6;
const EARLIEST = -2n;
const BYTES_MAX = 100_000;

type PartitionAnswer = FetchResponse['responses'][number]['partitions'][number];

/** Reads one partition as a consumer of committed records does. */
export class CommittedReader {
  readonly #topic: string;
  readonly #partition: number;
  #position: number;
  highWatermark = -1;
  lastStableOffset = -1;

  constructor(topic: string, partition: number, position = 0) {
    this.#topic = topic;
    this.#partition = partition;
    this.#position = position;
  }

  get name(): string {
    return `${this.#topic}-${this.#partition}`;
  }

  get position(): number {
    return this.#position;
  }

  get isAtEnd(): boolean {
    return this.#position === this.highWatermark;
  }

  /** What comes next; nothing where the partition can't be read now. Rejects with OutcomeUnknown. */
  async read(client: KafkaClient): Promise<SeenRecord[]> {
    const partitions = [
      { partition: this.#partition, fetchOffset: this.#position, partitionMaxBytes: BYTES_MAX },
    ];
    const request = defaults<FetchRequest>(FetchRequest, {
      maxBytes: BYTES_MAX,
      isolationLevel: READ_COMMITTED,
      sessionEpoch: -1,
      topics: [{ topic: this.#topic, partitions }],
    });
    const { responses } = await client.ask(FETCH, FETCH_VERSION, request);
    const answer = responses[0]?.partitions[0];
    if (answer?.errorCode === Errors.OFFSET_OUT_OF_RANGE) await this.#goToStart(client);
    if (answer?.errorCode !== Errors.NONE) return [];
    const { highWatermark, lastStableOffset } = answer;
    promised(lastStableOffset <= highWatermark, () => `${lastStableOffset} is stable above ${highWatermark}`);
    this.highWatermark = highWatermark;
    this.lastStableOffset = lastStableOffset;
    return this.#take(answer);
  }

  /** What was next is deleted. */
  async #goToStart(client: KafkaClient): Promise<void> {
    const request = defaults<ListOffsetsRequest>(ListOffsetsRequest, {
      replicaId: -1,
      topics: [{ name: this.#topic, partitions: [{ partitionIndex: this.#partition, timestamp: EARLIEST }] }],
    });
    const { topics } = await client.ask(LIST_OFFSETS, LIST_OFFSETS_VERSION, request);
    const start = topics[0]?.partitions[0];
    if (start?.errorCode !== Errors.NONE) return;
    promised(start.offset > this.#position, () => `${start.offset} is out of range, and the start`);
    this.#position = start.offset;
  }

  #take(answer: PartitionAnswer): SeenRecord[] {
    const aborted = [...(answer.abortedTransactions ?? [])];
    const ordered = aborted.every((one, at) => at === 0 || aborted[at - 1]!.firstOffset <= one.firstOffset);
    promised(ordered, () => 'aborted transactions come out of order');
    const skipped = new Set<bigint>();
    const found: SeenRecord[] = [];
    for (const bytes of [answer.records ?? []].flat()) {
      for (const at of batchPositions(bytes)) {
        const last = header.lastOffset(bytes, at);
        const producerId = header.producerId(bytes, at);
        while (aborted.length > 0 && aborted[0]!.firstOffset <= last)
          skipped.add(aborted.shift()!.producerId);
        if (header.isControl(bytes, at)) {
          const [marker] = [...records(bytes, { at })];
          // Compaction may leave an empty batch of a marker whose transaction is gone.
          const type = marker === undefined ? undefined : controlTypeOf(marker.key);
          if (type === ControlType.ABORT) skipped.delete(producerId);
        } else if (!header.isTransactional(bytes, at) || !skipped.has(producerId)) {
          for (const { offset, value } of records(bytes, { at })) {
            if (offset >= this.#position) found.push({ offset, value: Buffer.from(value!).toString() });
          }
        }
        this.#position = Math.max(this.#position, last + 1);
      }
    }
    return found;
  }
}
