import type { TopicImage } from '../metadata/image.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import type { PartitionRegistration } from '../metadata/registrations.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../protocol/messages/alter-partition-reassignments.ts';
import type {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '../protocol/messages/list-partition-reassignments.ts';
import { checkAssignment } from './assignment.ts';
import type { PartitionLeaders } from './partition-leaders.ts';
import { isReassigned } from './reassignment.ts';
import { apiErrorOf, type ControllerResult, checkRecordCount } from './result.ts';
import type { ControllerState } from './state.ts';

/** Moves of partitions between brokers (KIP-455): begun, cancelled and told of. They end by themselves. */
export class ReassignmentControl {
  readonly #state: ControllerState;
  readonly #leaders: PartitionLeaders;

  constructor(state: ControllerState, leaders: PartitionLeaders) {
    this.#state = state;
    this.#leaders = leaders;
  }

  alterPartitionReassignments(
    request: AlterPartitionReassignmentsRequest,
  ): ControllerResult<AlterPartitionReassignmentsResponse> {
    const { allowReplicationFactorChange, topics } = request;
    const records: MetadataRecord[] = [];
    const responses = topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, replicas }) => {
        const error = apiErrorOf(() => {
          const { topic, partition } = this.#find(name, partitionIndex);
          const change =
            replicas === null
              ? this.#cancel(topic, partitionIndex, partition)
              : this.#begin(topic, partitionIndex, partition, replicas, allowReplicationFactorChange);
          if (change !== undefined) records.push(change);
        });
        // The code says it all, and Apache Kafka says no more.
        const errorMessage = error.code === Errors.NO_REASSIGNMENT_IN_PROGRESS ? null : error.message;
        return { partitionIndex, errorCode: error.code, errorMessage };
      }),
    }));
    checkRecordCount(records.length);
    const whole = { errorCode: Errors.NONE, errorMessage: null };
    return { records, response: { throttleTimeMs: 0, allowReplicationFactorChange, ...whole, responses } };
  }

  #find(name: string, index: number): { topic: TopicImage; partition: PartitionRegistration } {
    const topic = this.#state.image.topicsByName.get(name);
    if (topic === undefined) {
      throw new ProtocolError(Errors.UNKNOWN_TOPIC_OR_PARTITION, `There is no topic ${name}.`);
    }
    const partition = topic.partitions[index];
    if (partition === undefined) {
      throw new ProtocolError(
        Errors.UNKNOWN_TOPIC_OR_PARTITION,
        `The topic ${name} has no partition ${index}.`,
      );
    }
    return { topic, partition };
  }

  #begin(
    topic: TopicImage,
    index: number,
    partition: PartitionRegistration,
    wanted: readonly number[],
    allowReplicationFactorChange: boolean,
  ): MetadataRecord | undefined {
    checkAssignment(this.#state, wanted, undefined);
    const { replicas, addingReplicas, removingReplicas } = partition;
    if (!allowReplicationFactorChange) {
      const now = new Set([...replicas, ...addingReplicas].filter((id) => !removingReplicas.includes(id)));
      if (now.size !== wanted.length) {
        throw new ProtocolError(
          Errors.INVALID_REPLICATION_FACTOR,
          `${wanted.length} replicas are asked for, ${now.size} are there, and the request forbids another number`,
        );
      }
    }
    const removing = replicas.filter((id) => !wanted.includes(id)).sort((a, b) => a - b);
    const adding = wanted.filter((id) => !replicas.includes(id)).sort((a, b) => a - b);
    return this.#leaders.change(topic, index, partition, {
      replicas: [...wanted, ...removing],
      removing: removing.length > 0 ? removing : removingReplicas,
      adding: adding.length > 0 ? adding : addingReplicas,
    });
  }

  #cancel(topic: TopicImage, index: number, partition: PartitionRegistration): MetadataRecord | undefined {
    if (!isReassigned(partition)) throw new ProtocolError(Errors.NO_REASSIGNMENT_IN_PROGRESS);
    const { addingReplicas, isr } = partition;
    const replicas = partition.replicas.filter((id) => !addingReplicas.includes(id));
    const [first] = replicas;
    if (first === undefined) {
      throw new ProtocolError(Errors.INVALID_REPLICA_ASSIGNMENT, 'all replicas are being added');
    }
    const unclean = this.#leaders.uncleanElectionAllowed(topic);
    const left = isr.filter((id) => !addingReplicas.includes(id));
    if (left.length === 0 && !unclean) {
      throw new ProtocolError(
        Errors.INVALID_REPLICA_ASSIGNMENT,
        `${topic.name}-${index} can't go back: none of the old replicas is in sync, and unclean.leader.election.enable is false.`,
      );
    }
    return this.#leaders.change(topic, index, partition, {
      targetIsr: left.length === 0 ? [first] : left,
      election: unclean ? 'unclean' : 'online',
      replicas,
      removing: [],
      adding: [],
    });
  }

  listPartitionReassignments(request: ListPartitionReassignmentsRequest): ListPartitionReassignmentsResponse {
    const { image } = this.#state;
    const asked =
      request.topics?.map(({ name, partitionIndexes }) => ({
        topic: image.topicsByName.get(name),
        ids: partitionIndexes,
      })) ?? Array.from(image.topicsById.values(), (topic) => ({ topic, ids: [...topic.partitions.keys()] }));
    const topics: ListPartitionReassignmentsResponse['topics'][number][] = [];
    for (const { topic, ids } of asked) {
      const partitions = [];
      for (const partitionIndex of ids) {
        const one = topic?.partitions[partitionIndex];
        if (one === undefined || !isReassigned(one)) continue;
        const { replicas, addingReplicas, removingReplicas } = one;
        partitions.push({ partitionIndex, replicas, addingReplicas, removingReplicas });
      }
      if (topic !== undefined && partitions.length > 0) topics.push({ name: topic.name, partitions });
    }
    return { throttleTimeMs: 0, errorCode: Errors.NONE, errorMessage: null, topics };
  }
}
