import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { OutcomeUnknown } from './kafka-client.ts';
import type { Attempt } from './txn-model.ts';
import { IN_TOPIC, OUT_PARTITIONS, OUT_TOPIC, stall, type TopicIds, writeOutputs } from './txn-outputs.ts';
import { type Protocol, TxnProducer } from './txn-producer.ts';
import { CommittedReader } from './txn-reader.ts';
import { Fenced, GaveUp, MustAbort, type TxnRequestsOptions } from './txn-requests.ts';

/** What a group has committed: how many inputs are taken, and the positions in the outputs, by partition. */
interface Committed {
  readonly inputs: number;
  readonly positions: readonly number[];
}

export interface TxnClientOptions extends TxnRequestsOptions {
  /** Also the transactional id, and the group. */
  readonly app: string;
  readonly protocol: Protocol;
  readonly topicIds: TopicIds;
  readonly isOver: () => boolean;
}

/** One life of a producer that reads inputs, writes outputs and commits both in transactions. */
export class TxnClient {
  readonly #options: TxnClientOptions;
  readonly #producer: TxnProducer;

  constructor(options: TxnClientOptions) {
    this.#options = options;
    this.#producer = new TxnProducer({ ...options, transactionalId: options.app, groupId: options.app });
  }

  /** Ends when the faults are over, or when another one has taken its place. */
  async run(): Promise<void> {
    const { isOver, model } = this.#options;
    try {
      await this.#producer.start();
      while (!isOver()) await this.#transaction();
    } catch (error) {
      if (!(error instanceof Fenced || error instanceof GaveUp)) throw error;
      model.count(error instanceof Fenced ? 'fenced' : 'gave up');
    } finally {
      this.#options.client.close();
    }
  }

  async #transaction(): Promise<void> {
    const { model, app, random } = this.#options;
    const { inputs, positions } = await this.#committed();
    const takes = [{ source: app, from: inputs, count: random.between(1, 8) }];
    const attempt = model.begin(app, takes, positions);
    let commits = random.chance(0.8);
    let failed = false;
    try {
      await this.#read(attempt);
      await writeOutputs({ ...this.#options, producer: this.#producer }, attempt);
      await this.#commitOffsets(attempt);
      await stall(this.#options);
    } catch (error) {
      if (!(error instanceof MustAbort)) throw error;
      commits = false;
      failed = true;
    }
    await this.#producer.end(commits);
    model.end(attempt, commits ? 'committed' : 'aborted');
    await this.#producer.prepareNext(failed);
  }

  /** Some of what is committed in the outputs, from where the group has left it. */
  async #read({ polls, positions }: Attempt): Promise<void> {
    const { client, random, model } = this.#options;
    for (const [partition, position] of positions.entries()) {
      if (random.chance(0.4)) continue;
      const reader = new CommittedReader(OUT_TOPIC, partition, position);
      for (let poll = random.between(1, 2); poll > 0; poll--) {
        if (!(await client.connect())) break;
        const from = reader.position;
        try {
          const records = await reader.read(client);
          polls.push({ partition, from, to: reader.position, records });
        } catch (error) {
          if (!(error instanceof OutcomeUnknown)) throw error;
        }
      }
      model.count('polls');
    }
  }

  async #commitOffsets({ takes, polls }: Attempt): Promise<void> {
    const { from, count } = takes[0]!;
    const read = new Map(polls.map(({ partition, to }) => [partition, to]));
    const offsets = [
      [IN_TOPIC, new Map([[0, from + count]])],
      [OUT_TOPIC, read],
    ] as const;
    const { topicIds } = this.#options;
    await this.#producer.commitOffsets(
      offsets.map(([name, some]) => ({ name, topicId: topicIds.get(name)!, offsets: some })),
    );
  }

  async #committed(): Promise<Committed> {
    const { app: groupId } = this.#options;
    const api = { request: OffsetFetchRequest, response: OffsetFetchResponse };
    const partitionIndexes = Array.from({ length: OUT_PARTITIONS }, (_, index) => index);
    const request = defaults<OffsetFetchRequest>(OffsetFetchRequest, {
      groups: [
        {
          groupId,
          topics: [
            { name: IN_TOPIC, partitionIndexes: [0] },
            { name: OUT_TOPIC, partitionIndexes },
          ],
        },
      ],
      requireStable: true,
    });
    const response = await this.#producer.requests.persist(api, 8, request, ({ groups }) => {
      const { errorCode, topics } = groups[0]!;
      const refused = topics.flatMap(({ partitions }) => partitions).find((one) => one.errorCode !== 0);
      return errorCode === Errors.NONE ? (refused?.errorCode ?? Errors.NONE) : errorCode;
    });
    const [inputs, outputs] = response.groups[0]!.topics;
    const positions = new Array<number>(OUT_PARTITIONS).fill(0);
    for (const { partitionIndex, committedOffset } of outputs!.partitions) {
      positions[partitionIndex] = Math.max(0, committedOffset);
    }
    return { inputs: Math.max(0, inputs!.partitions[0]!.committedOffset), positions };
  }
}
