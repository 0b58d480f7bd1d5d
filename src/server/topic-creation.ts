import type { Logger } from '../base/ports.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { type InternalTopic, internalTopicSettings } from '../config/internal-topics.ts';
import { type ErrorCode, Errors } from '../protocol/errors.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/messages/create-topics.ts';
import type { BrokerMetadata } from './broker-metadata.ts';
import type { ControllerChannel } from './controller-channel.ts';

type CreatableTopic = CreateTopicsRequest['topics'][number];

/** CreateTopics with the answer's errors and without what only clients need. */
const VERSION = 7;
const TIMEOUT_MS = 30_000;

export const CONSUMER_OFFSETS_TOPIC = '__consumer_offsets';
export const TRANSACTION_STATE_TOPIC = '__transaction_state';

export interface TopicCreationOptions {
  readonly config: () => BrokerConfig;
  readonly metadata: BrokerMetadata;
  readonly controller: ControllerChannel;
  readonly logger: Logger;
}

function isInternalTopicName(name: string): name is InternalTopic {
  return (
    name === CONSUMER_OFFSETS_TOPIC || name === TRANSACTION_STATE_TOPIC || name === '__share_group_state'
  );
}

/**
 * Creates topics that somebody asked for by using them. One request is under way per topic: whoever asks meanwhile
 * waits for the same one. When the promise settles the image holds the topic, with its leaders.
 */
export class TopicCreation {
  readonly #options: TopicCreationOptions;
  readonly #underWay = new Map<string, Promise<ErrorCode>>();

  constructor(options: TopicCreationOptions) {
    this.#options = options;
  }

  /** The error of each topic; NONE where it is there now. */
  async create(names: readonly string[]): Promise<ReadonlyMap<string, ErrorCode>> {
    const missing = names.filter((name) => !this.#underWay.has(name));
    if (missing.length > 0) {
      const request = this.#request(missing);
      for (const name of missing) {
        const one = request.then((codes) => codes.get(name) ?? Errors.UNKNOWN_SERVER_ERROR);
        const settled = one.finally(() => this.#underWay.delete(name));
        settled.catch(() => undefined);
        this.#underWay.set(name, settled);
      }
    }
    const waits = names.map(async (name) => [name, await this.#underWay.get(name)!] as const);
    return new Map(await Promise.all(waits));
  }

  async #request(names: readonly string[]): Promise<ReadonlyMap<string, ErrorCode>> {
    const response = await this.#options.controller.send(
      { request: CreateTopicsRequest, response: CreateTopicsResponse },
      VERSION,
      { topics: names.map((name) => this.#topic(name)), timeoutMs: TIMEOUT_MS, validateOnly: false },
    );
    const codes = new Map<string, ErrorCode>();
    for (const topic of response.topics) {
      const there = topic.errorCode === Errors.TOPIC_ALREADY_EXISTS;
      codes.set(topic.name, there ? Errors.NONE : (topic.errorCode as ErrorCode));
    }
    return codes;
  }

  #topic(name: string): CreatableTopic {
    if (!isInternalTopicName(name)) {
      return { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] };
    }
    const settings = internalTopicSettings(name, this.#options.config(), this.#brokerCount());
    if (settings.lowered !== undefined) this.#options.logger.warn(settings.lowered);
    return {
      name,
      numPartitions: settings.partitions,
      replicationFactor: settings.replicationFactor,
      assignments: [],
      configs: [...settings.configs].map(([key, value]) => ({ name: key, value })),
    };
  }

  #brokerCount(): number {
    let count = 0;
    for (const broker of this.#options.metadata.image.brokers.values()) if (!broker.fenced) count += 1;
    return Math.max(1, count);
  }
}
