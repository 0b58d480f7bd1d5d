import type { Random } from '../base/ports.ts';
import { randomUuid, type Uuid, ZERO_UUID } from '../base/uuid.ts';
import type { TopicImage } from '../metadata/image.ts';
import { type MetadataRecord, record } from '../metadata/records.ts';
import { partitionRecord } from '../metadata/registrations.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type {
  CreatePartitionsRequest,
  CreatePartitionsResponse,
} from '../protocol/messages/create-partitions.ts';
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/messages/create-topics.ts';
import type { DeleteTopicsRequest, DeleteTopicsResponse } from '../protocol/messages/delete-topics.ts';
import { checkAssignment, defaultDirectory, hasOpenDirectory } from './assignment.ts';
import { placeReplicas, type UsableBroker } from './placement.ts';
import type { ConfigSchema, CreateTopicPolicy } from './ports.ts';
import {
  type ApiError,
  apiErrorOf,
  type ControllerResult,
  checkRecordCount,
  MAX_RECORDS_PER_USER_OP,
  type RequestContext,
} from './result.ts';
import type { ControllerState } from './state.ts';
import { CLUSTER_METADATA_TOPIC, topicNameProblem } from './topic-names.ts';

export interface ReplicationOptions {
  readonly random: Random;
  readonly configs: ConfigSchema;
  readonly defaultNumPartitions: () => number;
  readonly defaultReplicationFactor: () => number;
  readonly deleteTopicEnable: () => boolean;
  readonly createTopicPolicy?: CreateTopicPolicy;
  /** Caps the replication factor that is asked for of these topics at the number of brokers that are alive. */
  readonly capReplicationFactorOf?: (topic: string) => boolean;
}

type CreatableTopic = CreateTopicsRequest['topics'][number];
type CreatableResult = CreateTopicsResponse['topics'][number];
type Assignments = readonly (readonly number[])[];

function fail(code: (typeof Errors)[keyof typeof Errors], message?: string): never {
  throw new ProtocolError(code, message);
}

const TOO_MANY_PARTITIONS = `A request makes at most ${MAX_RECORDS_PER_USER_OP} partitions; ask for less at once.`;

/** Topics and partitions: made, grown and deleted. */
export class ReplicationControl {
  readonly #state: ControllerState;
  readonly #options: ReplicationOptions;

  constructor(state: ControllerState, options: ReplicationOptions) {
    this.#state = state;
    this.#options = options;
  }

  createTopics(
    request: CreateTopicsRequest,
    context: RequestContext,
  ): ControllerResult<CreateTopicsResponse> {
    const duplicates = duplicatesOf(request.topics.map((topic) => topic.name));
    const wanted = request.topics.filter(
      (one) => !duplicates.has(one.name) && one.name !== CLUSTER_METADATA_TOPIC,
    );
    this.#checkTotal(wanted);
    const records: MetadataRecord[] = [];
    const topics: CreatableResult[] = [];
    for (const topic of wanted) {
      let result = emptyResult(topic.name);
      const error = apiErrorOf(() => {
        this.#checkName(topic.name);
        const one = this.#createTopic(topic, context);
        for (const each of one.records) records.push(each);
        result = one.result;
      });
      checkRecordCount(records.length);
      topics.push(error.code === Errors.NONE ? result : withError(result, error));
    }
    for (const name of duplicates) {
      topics.push(
        withError(emptyResult(name), {
          code: Errors.INVALID_REQUEST,
          message: 'The request names this topic twice.',
        }),
      );
    }
    if (
      !duplicates.has(CLUSTER_METADATA_TOPIC) &&
      request.topics.some((one) => one.name === CLUSTER_METADATA_TOPIC)
    ) {
      const message = `${CLUSTER_METADATA_TOPIC} is the log of the cluster itself; take another name.`;
      topics.push(withError(emptyResult(CLUSTER_METADATA_TOPIC), { code: Errors.INVALID_REQUEST, message }));
    }
    return { records: request.validateOnly ? [] : records, response: { throttleTimeMs: 0, topics } };
  }

  #checkTotal(topics: readonly CreatableTopic[]): void {
    let total = 0;
    for (const topic of topics) {
      const asked = topic.numPartitions === -1 ? this.#options.defaultNumPartitions() : topic.numPartitions;
      total += topic.assignments.length > 0 ? topic.assignments.length : Math.max(0, asked);
      if (total > MAX_RECORDS_PER_USER_OP) {
        fail(Errors.POLICY_VIOLATION, TOO_MANY_PARTITIONS);
      }
    }
  }

  #checkName(name: string): void {
    const existing = this.#state.image.topicsByName.has(name);
    if (existing) fail(Errors.TOPIC_ALREADY_EXISTS, `There is a topic ${name} already.`);
    const problem = topicNameProblem(name);
    const colliding = this.#state.collidingNames.of(name);
    if (colliding !== undefined) {
      fail(
        Errors.INVALID_TOPIC_EXCEPTION,
        `The topic ${name} would share the name of its metrics with ${colliding}, for '.' and '_' are one there.`,
      );
    }
    if (problem !== undefined) fail(Errors.INVALID_TOPIC_EXCEPTION, problem);
  }

  #createTopic(
    topic: CreatableTopic,
    context: RequestContext,
  ): { records: MetadataRecord[]; result: CreatableResult } {
    const configs = configsOf(topic);
    this.#options.configs.validate('topic', topic.name, configs);
    const assignments =
      topic.assignments.length > 0 ? this.#manual(topic, configs) : this.#placed(topic, configs);
    const topicId = randomUuid(this.#options.random);
    const records: MetadataRecord[] = [record('TopicRecord', 0, { name: topic.name, topicId })];
    for (const [name, value] of configs) {
      records.push(record('ConfigRecord', 0, { resourceType: 2, resourceName: topic.name, name, value }));
    }
    assignments.forEach((replicas, id) => {
      records.push(this.#newPartition(topicId, id, replicas));
    });
    return { records, result: this.#created(topic.name, topicId, assignments, configs, context) };
  }

  #created(
    name: string,
    topicId: Uuid,
    assignments: Assignments,
    configs: ReadonlyMap<string, string>,
    context: RequestContext,
  ): CreatableResult {
    const result = { ...emptyResult(name), topicId };
    if (context.mayDescribeConfigs?.(name) === false) {
      return { ...result, topicConfigErrorCode: Errors.TOPIC_AUTHORIZATION_FAILED };
    }
    return {
      ...result,
      numPartitions: assignments.length,
      replicationFactor: assignments[0]?.length ?? 0,
      // Older answers have no place for them.
      configs: context.apiVersion < 5 ? [] : this.#options.configs.effectiveTopicConfigs(configs),
    };
  }

  #manual(topic: CreatableTopic, configs: ReadonlyMap<string, string>): Assignments {
    if (topic.replicationFactor !== -1) {
      fail(Errors.INVALID_REQUEST, 'The replicas are given by hand, so that replicationFactor must be -1.');
    }
    if (topic.numPartitions !== -1) {
      fail(Errors.INVALID_REQUEST, 'The replicas are given by hand, so that numPartitions must be -1.');
    }
    const byPartition = new Map<number, readonly number[]>();
    let replicationFactor: number | undefined;
    for (const { partitionIndex, brokerIds } of topic.assignments) {
      if (byPartition.has(partitionIndex)) {
        fail(
          Errors.INVALID_REPLICA_ASSIGNMENT,
          `The replicas of partition ${partitionIndex} are given twice`,
        );
      }
      checkAssignment(this.#state, brokerIds, replicationFactor);
      replicationFactor = brokerIds.length;
      this.#checkSomeActive(brokerIds, partitionIndex);
      byPartition.set(partitionIndex, brokerIds);
    }
    const assignments: (readonly number[])[] = [];
    for (let id = 0; id < byPartition.size; id++) {
      const replicas = byPartition.get(id);
      if (replicas === undefined) {
        fail(
          Errors.INVALID_REPLICA_ASSIGNMENT,
          `The replicas of partition ${id} are not given; partitions count from 0 without a gap`,
        );
      }
      assignments.push(replicas);
    }
    this.#options.createTopicPolicy?.validate({
      name: topic.name,
      numPartitions: undefined,
      replicationFactor: undefined,
      assignments: byPartition,
      configs,
    });
    return assignments;
  }

  #placed(topic: CreatableTopic, configs: ReadonlyMap<string, string>): Assignments {
    if (topic.replicationFactor < -1 || topic.replicationFactor === 0) {
      fail(
        Errors.INVALID_REPLICATION_FACTOR,
        `replicationFactor=${topic.replicationFactor}: a topic has at least 1 replica; -1 stands for default.replication.factor.`,
      );
    }
    if (topic.numPartitions < -1 || topic.numPartitions === 0) {
      fail(
        Errors.INVALID_PARTITIONS,
        `numPartitions=${topic.numPartitions}: a topic has at least 1 partition; -1 stands for num.partitions.`,
      );
    }
    const numPartitions =
      topic.numPartitions === -1 ? this.#options.defaultNumPartitions() : topic.numPartitions;
    let replicationFactor =
      topic.replicationFactor === -1 ? this.#options.defaultReplicationFactor() : topic.replicationFactor;
    if (this.#options.capReplicationFactorOf?.(topic.name) === true) {
      replicationFactor = Math.min(replicationFactor, Math.max(1, this.#usableBrokers().length));
    }
    const placed = this.#place(numPartitions, replicationFactor);
    this.#options.createTopicPolicy?.validate({
      name: topic.name,
      numPartitions,
      replicationFactor,
      assignments: undefined,
      configs,
    });
    return placed;
  }

  #place(numPartitions: number, replicationFactor: number): number[][] {
    const { random } = this.#options;
    const placed = placeReplicas(this.#usableBrokers(), numPartitions, replicationFactor, random);
    if (placed.some((replicas) => !replicas.some((id) => this.#state.isActive(id)))) {
      fail(
        Errors.INVALID_REPLICATION_FACTOR,
        'No broker can lead a partition now: all are fenced or about to stop.',
      );
    }
    return placed;
  }

  #usableBrokers(): UsableBroker[] {
    const usable: UsableBroker[] = [];
    for (const broker of this.#state.image.brokers.values()) {
      if (!broker.inControlledShutdown && hasOpenDirectory(broker))
        usable.push({ id: broker.id, rack: broker.rack, fenced: broker.fenced });
    }
    return usable;
  }

  #checkSomeActive(brokerIds: readonly number[], partitionIndex: number): void {
    if (brokerIds.some((id) => this.#state.isActive(id))) return;
    fail(
      Errors.INVALID_REPLICA_ASSIGNMENT,
      `None of the brokers [${brokerIds.join(', ')}] can lead partition ${partitionIndex}: all are fenced or about to stop.`,
    );
  }

  #newPartition(topicId: Uuid, id: number, replicas: readonly number[]): MetadataRecord {
    const isr = replicas.filter((broker) => this.#state.isActive(broker));
    const partition = {
      replicas,
      directories: replicas.map((broker) => defaultDirectory(this.#state, broker)),
      isr,
      removingReplicas: [],
      addingReplicas: [],
      leader: isr[0] ?? -1,
      leaderRecoveryState: 0,
      leaderEpoch: 0,
      partitionEpoch: 0,
      elr: [],
      lastKnownElr: [],
    };
    return partitionRecord(topicId, id, partition, this.#state.image.metadataVersion);
  }

  deleteTopics(
    request: DeleteTopicsRequest,
    context: RequestContext,
  ): ControllerResult<DeleteTopicsResponse> {
    if (!this.#options.deleteTopicEnable()) {
      if (context.apiVersion < 3) fail(Errors.INVALID_REQUEST, 'delete.topic.enable is false.');
      fail(Errors.TOPIC_DELETION_DISABLED);
    }
    const responses: DeleteTopicsResponse['responses'][number][] = [];
    const add = (name: string | null, topicId: Uuid, error: ApiError) =>
      responses.push({ name, topicId, errorCode: error.code, errorMessage: error.message });
    const invalid = (message: string): ApiError => ({ code: Errors.INVALID_REQUEST, message });
    const names: string[] = [...request.topicNames];
    const ids: Uuid[] = [];
    for (const { name, topicId } of request.topics) {
      if (name !== null && topicId !== ZERO_UUID)
        add(name, topicId, invalid('Name the topic or give its id, not both.'));
      else if (name !== null) names.push(name);
      else if (topicId !== ZERO_UUID) ids.push(topicId);
      else add(null, ZERO_UUID, invalid('The topic has neither a name nor an id.'));
    }
    const twiceNamed = duplicatesOf(names);
    const twiceGiven = duplicatesOf(ids);
    for (const name of twiceNamed) add(name, ZERO_UUID, invalid('The request names this topic twice.'));
    for (const id of twiceGiven) add(null, id, invalid('The request gives this id twice.'));
    const found = new Map<Uuid, TopicImage>();
    for (const id of ids) {
      if (twiceGiven.has(id)) continue;
      const topic = this.#state.image.topicsById.get(id);
      if (topic === undefined)
        add(
          null,
          id,
          apiErrorOf(() => fail(Errors.UNKNOWN_TOPIC_ID)),
        );
      else found.set(id, topic);
    }
    for (const name of names) {
      if (twiceNamed.has(name)) continue;
      const topic = this.#state.image.topicsByName.get(name);
      if (topic === undefined)
        add(
          name,
          ZERO_UUID,
          apiErrorOf(() => fail(Errors.UNKNOWN_TOPIC_OR_PARTITION)),
        );
      else if (twiceGiven.has(topic.id) || found.delete(topic.id)) {
        twiceGiven.add(topic.id);
        add(name, topic.id, invalid('The topic is there twice, by its name and by its id.'));
      } else found.set(topic.id, topic);
    }
    const records: MetadataRecord[] = [];
    for (const { id, name } of found.values()) {
      records.push(record('RemoveTopicRecord', 0, { topicId: id }));
      add(name, id, { code: Errors.NONE, message: null });
    }
    checkRecordCount(records.length);
    return { records, response: { throttleTimeMs: 0, responses } };
  }

  createPartitions(request: CreatePartitionsRequest): ControllerResult<CreatePartitionsResponse> {
    const duplicates = duplicatesOf(request.topics.map((topic) => topic.name));
    const records: MetadataRecord[] = [];
    const results: CreatePartitionsResponse['results'][number][] = [];
    for (const name of duplicates) {
      results.push({
        name,
        errorCode: Errors.INVALID_REQUEST,
        errorMessage: 'The request names this topic twice.',
      });
    }
    for (const topic of request.topics) {
      if (duplicates.has(topic.name)) continue;
      const error = apiErrorOf(() => {
        for (const one of this.#addPartitions(topic, MAX_RECORDS_PER_USER_OP - records.length))
          records.push(one);
      });
      results.push({ name: topic.name, errorCode: error.code, errorMessage: error.message });
    }
    return { records: request.validateOnly ? [] : records, response: { throttleTimeMs: 0, results } };
  }

  #addPartitions(topic: CreatePartitionsRequest['topics'][number], room: number): MetadataRecord[] {
    const existing = this.#state.image.topicsByName.get(topic.name);
    if (existing === undefined) fail(Errors.UNKNOWN_TOPIC_OR_PARTITION);
    const old = existing.partitions.length;
    if (topic.count === old)
      fail(Errors.INVALID_PARTITIONS, `The topic ${topic.name} has ${old} partitions now; ask for more.`);
    if (topic.count < old) {
      fail(
        Errors.INVALID_PARTITIONS,
        `The topic ${topic.name} has ${old} partitions, and can't have only ${topic.count}: none is taken away.`,
      );
    }
    const additional = topic.count - old;
    if (topic.assignments !== null && topic.assignments.length !== additional) {
      fail(
        Errors.INVALID_REPLICA_ASSIGNMENT,
        `The topic gets ${additional} more partitions, but replicas are given for ${topic.assignments.length}.`,
      );
    }
    if (additional > room) fail(Errors.POLICY_VIOLATION, TOO_MANY_PARTITIONS);
    const replicationFactor = existing.partitions[0]?.replicas.length ?? 1;
    let assignments: Assignments;
    if (topic.assignments === null) {
      assignments = placeReplicas(this.#usableBrokers(), additional, replicationFactor, this.#options.random);
    } else {
      assignments = topic.assignments.map(({ brokerIds }, index) => {
        checkAssignment(this.#state, brokerIds, replicationFactor);
        this.#checkSomeActive(brokerIds, old + index);
        return brokerIds;
      });
    }
    return assignments.map((replicas, index) => this.#newPartition(existing.id, old + index, replicas));
  }
}

function duplicatesOf<T>(values: readonly T[]): Set<T> {
  const seen = new Set<T>();
  const twice = new Set<T>();
  for (const value of values) {
    if (seen.has(value)) twice.add(value);
    seen.add(value);
  }
  return twice;
}

function configsOf(topic: CreatableTopic): Map<string, string> {
  const configs = new Map<string, string>();
  const empty: string[] = [];
  for (const { name, value } of topic.configs) {
    if (value === null) empty.push(name);
    else configs.set(name, value);
  }
  if (empty.length > 0) {
    fail(
      Errors.INVALID_CONFIG,
      `No value is given for ${empty.join(', ')}: give one, or leave the name out.`,
    );
  }
  return configs;
}

function emptyResult(name: string): CreatableResult {
  return {
    name,
    topicId: ZERO_UUID,
    errorCode: Errors.NONE,
    errorMessage: null,
    topicConfigErrorCode: Errors.NONE,
    numPartitions: -1,
    replicationFactor: -1,
    configs: [],
  };
}

function withError(result: CreatableResult, error: ApiError): CreatableResult {
  return { ...result, topicId: ZERO_UUID, errorCode: error.code, errorMessage: error.message };
}
