import { defaults } from '../../src/protocol/codec.ts';
import { Errors, errorName } from '../../src/protocol/errors.ts';
import {
  CreatePartitionsRequest,
  CreatePartitionsResponse,
} from '../../src/protocol/messages/create-partitions.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/delete-topics.ts';
import {
  DescribeConfigsRequest,
  DescribeConfigsResponse,
} from '../../src/protocol/messages/describe-configs.ts';
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/incremental-alter-configs.ts';
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/metadata.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/index.ts';
import { type KafkaClient, OutcomeUnknown } from './kafka-client.ts';
import { promised } from './model.ts';
import type { SeededRandom } from './random.ts';
import type { Action } from './sim-node.ts';
import { diskMayRefuse, type Shared } from './workload.ts';
import type { World } from './world.ts';

const apis = {
  createTopics: { request: CreateTopicsRequest, response: CreateTopicsResponse },
  deleteTopics: { request: DeleteTopicsRequest, response: DeleteTopicsResponse },
  createPartitions: { request: CreatePartitionsRequest, response: CreatePartitionsResponse },
  alterConfigs: { request: IncrementalAlterConfigsRequest, response: IncrementalAlterConfigsResponse },
  describeConfigs: { request: DescribeConfigsRequest, response: DescribeConfigsResponse },
  metadata: { request: MetadataRequest, response: MetadataResponse },
  produce: { request: ProduceRequest, response: ProduceResponse },
} as const;

const TOPIC = 2;
const SET = 0;
const DELETE = 1;
const TOPIC_SOURCE = 1;
const BATCH_MAX = 120;
const THERE_MAX = 600;
const TIMEOUT_MS = 30_000;
const SETTINGS = ['retention.ms', 'segment.bytes', 'max.message.bytes', 'flush.ms'];

interface ChurnTopic {
  readonly name: string;
  /** `busy`: a request about it is under way. `unknown`: one had no answer; it is left alone from there on. */
  state: 'there' | 'absent' | 'busy' | 'unknown';
  partitions: number;
  configs: Map<string, string>;
}

/** What is known of the many topics that come and go; all clients of one world share it. */
export class ChurnModel {
  readonly topics: ChurnTopic[] = [];

  /** Names of which the last answer tells all. */
  stable(): string[] {
    return this.topics.filter(({ state }) => state === 'there' || state === 'absent').map(({ name }) => name);
  }

  statesNow(): (readonly [string, string])[] {
    return this.topics.map(({ name, state, partitions, configs }) => [
      name,
      `${state}/${partitions}/${[...configs].join()}`,
    ]);
  }
}

/** A client that makes, changes and deletes topics by the hundred. */
export class Churn {
  readonly #world: World;
  readonly #client: KafkaClient;
  readonly #random: SeededRandom;
  readonly #shared: Shared;
  readonly #model: ChurnModel;

  constructor(world: World, client: KafkaClient, random: SeededRandom, shared: Shared, model: ChurnModel) {
    this.#world = world;
    this.#client = client;
    this.#random = random;
    this.#shared = shared;
    this.#model = model;
  }

  actions(): readonly Action[] {
    return [
      { weight: 6, run: () => this.#guarded(() => this.#create()) },
      { weight: 4, run: () => this.#guarded(() => this.#delete()) },
      { weight: 3, run: () => this.#guarded(() => this.#alter()) },
      { weight: 2, run: () => this.#guarded(() => this.#addPartitions()) },
      { weight: 3, run: () => this.#guarded(() => this.#write()) },
    ];
  }

  async #guarded(run: () => Promise<void>): Promise<void> {
    if (!(await this.#client.connect())) {
      await this.#world.sleep(this.#random.below(300));
      return;
    }
    try {
      await run();
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) throw error;
    }
  }

  /** Some topics of a state, which are busy from here on. */
  #take(state: 'there' | 'absent', most: number): ChurnTopic[] {
    const fitting = this.#model.topics.filter((topic) => topic.state === state);
    const count = Math.min(fitting.length, this.#random.between(1, most));
    const from = this.#random.below(Math.max(1, fitting.length - count + 1));
    const taken = fitting.slice(from, from + count);
    for (const topic of taken) topic.state = 'busy';
    return taken;
  }

  /** Asks about all of them at once; `codes` are the answer's, in the order of the topics. */
  async #change(
    what: string,
    topics: readonly ChurnTopic[],
    ask: () => Promise<readonly { name: string | null; errorCode: number }[]>,
    done: (topic: ChurnTopic) => void,
  ): Promise<void> {
    if (topics.length === 0) return;
    for (const topic of topics) topic.state = 'busy';
    try {
      const codes = new Map((await ask()).map(({ name, errorCode }) => [name, errorCode]));
      for (const topic of topics) {
        const code = codes.get(topic.name);
        if (code !== Errors.NONE && diskMayRefuse(this.#shared, code))
          throw new OutcomeUnknown('the disk failed');
        promised(
          code === Errors.NONE,
          () => `${what} ${topic.name}: ${code === undefined ? 'no answer' : errorName(code)}`,
        );
      }
      for (const topic of topics) done(topic);
      this.#shared.counts[what] = (this.#shared.counts[what] ?? 0) + topics.length;
    } catch (error) {
      for (const topic of topics) topic.state = 'unknown';
      throw error;
    }
  }

  async #create(): Promise<void> {
    const there = this.#model.topics.filter(({ state }) => state === 'there').length;
    if (there > THERE_MAX) return;
    // Names that were used before come back, with other settings or none.
    const topics = this.#random.chance(0.4) ? this.#take('absent', BATCH_MAX) : this.#fresh();
    const wanted = topics.map(({ name }) => ({
      name,
      numPartitions: this.#random.weighted([
        [6, 1],
        [1, 3],
      ]),
      replicationFactor: 1,
      configs: this.#random.chance(0.3) ? [this.#setting()] : [],
    }));
    const request = defaults(CreateTopicsRequest, { topics: wanted, timeoutMs: TIMEOUT_MS });
    const ask = async () => (await this.#client.ask(apis.createTopics, 7, request)).topics;
    const byName = new Map(wanted.map((one) => [one.name, one]));
    await this.#change('churn create', topics, ask, (topic) => {
      const { numPartitions, configs } = byName.get(topic.name)!;
      topic.state = 'there';
      topic.partitions = numPartitions;
      topic.configs = new Map(configs.map(({ name, value }) => [name, value]));
    });
  }

  #fresh(): ChurnTopic[] {
    const { topics } = this.#model;
    return Array.from({ length: this.#random.between(1, BATCH_MAX) }, () => {
      const topic: ChurnTopic = {
        name: `churn-${topics.length}`,
        state: 'busy',
        partitions: 0,
        configs: new Map(),
      };
      topics.push(topic);
      return topic;
    });
  }

  #setting(): { name: string; value: string } {
    return { name: this.#random.pick(SETTINGS), value: String(this.#random.between(2_000_000, 3_000_000)) };
  }

  async #delete(): Promise<void> {
    const topics = this.#take('there', BATCH_MAX);
    const request = defaults(DeleteTopicsRequest, {
      topics: topics.map(({ name }) => ({ name })),
      timeoutMs: TIMEOUT_MS,
    });
    const ask = async () => (await this.#client.ask(apis.deleteTopics, 6, request)).responses;
    await this.#change('churn delete', topics, ask, (topic) => {
      topic.state = 'absent';
      topic.partitions = 0;
      topic.configs = new Map();
    });
  }

  async #alter(): Promise<void> {
    const topics = this.#take('there', 20);
    const changes = new Map(topics.map((topic) => [topic, this.#setting()]));
    const unset = this.#random.chance(0.3);
    const request = defaults(IncrementalAlterConfigsRequest, {
      resources: [...changes].map(([topic, { name, value }]) => ({
        resourceType: TOPIC,
        resourceName: topic.name,
        configs: [{ name, configOperation: unset ? DELETE : SET, value: unset ? null : value }],
      })),
    });
    const ask = async () => {
      const { responses } = await this.#client.ask(apis.alterConfigs, 1, request);
      return responses.map(({ resourceName: name, errorCode }) => ({ name, errorCode }));
    };
    await this.#change('churn alter', topics, ask, (topic) => {
      topic.state = 'there';
      const { name, value } = changes.get(topic)!;
      if (unset) topic.configs.delete(name);
      else topic.configs.set(name, value);
    });
  }

  async #addPartitions(): Promise<void> {
    const topics = this.#take('there', 20);
    const more = this.#random.between(1, 2);
    const request = defaults(CreatePartitionsRequest, {
      topics: topics.map(({ name, partitions }) => ({ name, count: partitions + more, assignments: null })),
      timeoutMs: TIMEOUT_MS,
    });
    const ask = async () => (await this.#client.ask(apis.createPartitions, 3, request)).results;
    await this.#change('churn partitions', topics, ask, (topic) => {
      topic.state = 'there';
      topic.partitions += more;
    });
  }

  /** A record for a few, so that they have folders. */
  async #write(): Promise<void> {
    const topics = this.#model.topics.filter(({ state }) => state === 'there');
    if (topics.length === 0) return;
    const written = new Set(Array.from({ length: 8 }, () => this.#random.pick(topics)));
    const builder = new BatchBuilder({});
    builder.append({ value: Buffer.from('churn') });
    const records = Buffer.from(builder.build());
    const request = defaults(ProduceRequest, {
      acks: -1,
      timeoutMs: TIMEOUT_MS,
      topicData: [...written].map(({ name }) => ({ name, partitionData: [{ index: 0, records }] })),
    });
    const { responses } = await this.#client.ask(apis.produce, 9, request);
    for (const { name, partitionResponses } of responses) {
      const code = partitionResponses[0]?.errorCode ?? -1;
      const { diskFaults, dying, dirs } = this.#shared;
      const may = code === Errors.NONE || diskFaults !== 'none' || dying || dirs?.failed !== undefined;
      promised(may, () => `produce to ${name}: ${errorName(code)}`);
    }
  }

  /** What the node says of all of them, against what is known: topics, partitions, and their own settings. */
  async verify(): Promise<void> {
    promised(await this.#client.connect(), () => 'the node can not be reached');
    const { topics } = await this.#client.ask(apis.metadata, 12, defaults(MetadataRequest, { topics: null }));
    const told = new Map(topics.map((topic) => [topic.name, topic]));
    const there: ChurnTopic[] = [];
    for (const topic of this.#model.topics) {
      const now = told.get(topic.name);
      if (topic.state === 'absent')
        promised(now === undefined, () => `${topic.name} was deleted, and is there`);
      if (topic.state !== 'there') continue;
      there.push(topic);
      promised(now?.errorCode === Errors.NONE, () => `${topic.name} was created, and is not there`);
      const count = now.partitions.length;
      promised(
        count === topic.partitions,
        () => `${topic.name} has ${count} partitions, not ${topic.partitions}`,
      );
    }
    await this.#verifyConfigs(there);
  }

  async #verifyConfigs(topics: readonly ChurnTopic[]): Promise<void> {
    const request = defaults(DescribeConfigsRequest, {
      resources: topics.map(({ name }) => ({
        resourceType: TOPIC,
        resourceName: name,
        configurationKeys: SETTINGS,
      })),
    });
    const { results } = await this.#client.ask(apis.describeConfigs, 4, request);
    for (const [at, { name, configs }] of topics.entries()) {
      const own = results[at]?.configs.filter(({ configSource }) => configSource === TOPIC_SOURCE) ?? [];
      const text = (entries: readonly (readonly [string, string | null])[]) => [...entries].sort().join(' ');
      const now = text(own.map((config) => [config.name, config.value]));
      const expected = text([...configs]);
      promised(now === expected, () => `${name} has the settings ${now}, not ${expected}`);
    }
  }
}
