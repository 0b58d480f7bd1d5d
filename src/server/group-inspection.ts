import type { Timers } from '../base/ports.ts';
import type { GroupCoordinator, OffsetFetchGroupResponse } from '../coordinator/index.ts';
import { decodeFrom } from '../protocol/codec.ts';
import { type ErrorCode, Errors, ProtocolError } from '../protocol/errors.ts';
import type { ConsumerGroupDescribeResponse } from '../protocol/messages/consumer-group-describe.ts';
import { ConsumerProtocolAssignment } from '../protocol/messages/consumer-protocol.ts';
import type { DescribeGroupsResponse } from '../protocol/messages/describe-groups.ts';
import { Reader } from '../protocol/reader.ts';

const STABLE_TIMEOUT_MS = 30_000;
const DESCRIBE_VERSION = 5;
const CONSUMER_PROTOCOL_TYPE = 'consumer';
/** Every later version of an assignment begins like this one. */
const ASSIGNMENT_VERSION = 0;
const VERSION_BYTES = 2;
const NO_EPOCH = -1;

type DescribedConsumerGroup = ConsumerGroupDescribeResponse['groups'][number];

export interface AssignedPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface GroupMemberDescription {
  readonly memberId: string;
  /** `group.instance.id`; null for dynamic members. */
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  /** A slash and the address. */
  readonly clientHost: string;
  /** Empty while a classic group rebalances, and where its members are not consumers. */
  readonly partitions: readonly AssignedPartition[];
}

export interface GroupDescription {
  readonly groupId: string;
  /** `consumer`: that of KIP-848, with members of the classic one among its own while a group migrates. */
  readonly protocol: 'classic' | 'consumer';
  /**
   * As Kafka's tools print it: `Stable`, `PreparingRebalance`, `Reconciling`, `Empty`; `Dead` where there is no such group.
   */
  readonly state: string;
  /** What assigns: `range`, `cooperative-sticky`; empty while nothing is agreed on. */
  readonly assignor: string;
  readonly members: readonly GroupMemberDescription[];
}

export interface GroupOffset extends AssignedPartition {
  /** What the group committed: of the next record that it wants. */
  readonly offset: number;
  /** Of the record before; undefined where the client did not tell. */
  readonly leaderEpoch: number | undefined;
  readonly metadata: string;
  /** The offset after the last record that consumers may see; undefined where the partition is not led here. */
  readonly endOffset: number | undefined;
  /** Records between the two, at least 0; undefined as above. */
  readonly lag: number | undefined;
}

export interface StableGroup {
  /** How many members there must be. Default: any number but 0. */
  readonly members?: number;
  /** How many partitions they must have among them. Default: any number. */
  readonly partitions?: number;
  /** Ms until the wait is given up. Default: 30,000. */
  readonly timeoutMs?: number;
}

/** A group of a broker in this process, of whatever protocol, as data. */
export interface BrokerGroup {
  /** Rejects with `ProtocolError` while the coordinator of the group is not there or loads. */
  describe(): Promise<GroupDescription>;
  /** What the group has committed, by topic and partition; empty for a group that has committed nothing. */
  offsets(): Promise<readonly GroupOffset[]>;
  /**
   * Resolves when the group is stable, with as many members and assigned partitions as are asked for. Rejects after the
   * timeout, saying how the group is then, and when the broker stops.
   */
  stable(wanted?: StableGroup): Promise<GroupDescription>;
}

export interface GroupInspectionOptions {
  readonly coordinator: GroupCoordinator;
  readonly timers: Timers;
  /** The high watermark of a partition that is led here. */
  readonly endOffset: (topic: string, partition: number) => number | undefined;
}

/** What users of an embedded broker may know of its groups. */
export class GroupInspection {
  readonly #options: GroupInspectionOptions;
  readonly #waiting = new Set<Bell>();
  #closed = false;

  constructor(options: GroupInspectionOptions) {
    this.#options = options;
  }

  group(groupId: string): BrokerGroup {
    return {
      describe: () => this.#describe(groupId),
      offsets: () => this.#offsets(groupId),
      stable: (wanted = {}) => this.#stable(groupId, wanted),
    };
  }

  /** Whoever waits is told. */
  close(): void {
    this.#closed = true;
    for (const bell of this.#waiting) bell.ring();
  }

  async #describe(groupId: string): Promise<GroupDescription> {
    const { coordinator } = this.#options;
    const [consumers] = await coordinator.describeConsumerGroups([groupId]);
    if (consumers !== undefined && consumers.errorCode === Errors.NONE) return consumerDescription(consumers);
    const request = { groups: [groupId], includeAuthorizedOperations: false };
    const [group] = await coordinator.describeGroups(request, DESCRIBE_VERSION);
    if (group === undefined || group.errorCode !== Errors.NONE) {
      const code = (group?.errorCode ?? Errors.UNKNOWN_SERVER_ERROR) as ErrorCode;
      throw new ProtocolError(code, `group ${groupId} can't be described now`);
    }
    return classicDescription(group);
  }

  #offsets(groupId: string): Promise<readonly GroupOffset[]> {
    const request = { groupId, memberId: null, memberEpoch: NO_EPOCH, topics: null };
    return new Promise((resolve, reject) => {
      this.#options.coordinator.fetchOffsets(request, false, ({ errorCode, topics }) => {
        if (errorCode === Errors.NONE) resolve(topics.flatMap((topic) => this.#offsetsIn(topic)));
        else
          reject(new ProtocolError(errorCode as ErrorCode, `the offsets of group ${groupId} can't be read`));
      });
    });
  }

  #offsetsIn({ name: topic, partitions }: OffsetFetchGroupResponse['topics'][number]): GroupOffset[] {
    return partitions.map(
      ({ partitionIndex: partition, committedOffset, committedLeaderEpoch, metadata }) => {
        const endOffset = this.#options.endOffset(topic, partition);
        return {
          topic,
          partition,
          offset: committedOffset,
          leaderEpoch: committedLeaderEpoch === NO_EPOCH ? undefined : committedLeaderEpoch,
          metadata: metadata ?? '',
          endOffset,
          lag: endOffset === undefined ? undefined : Math.max(0, endOffset - committedOffset),
        };
      },
    );
  }

  async #stable(groupId: string, wanted: StableGroup): Promise<GroupDescription> {
    const { coordinator, timers } = this.#options;
    const { timeoutMs = STABLE_TIMEOUT_MS } = wanted;
    const bell = new Bell();
    let isLate = false;
    const deadline = timers.after(timeoutMs, () => {
      isLate = true;
      bell.ring();
    });
    const unwatch = coordinator.watch(groupId, () => bell.ring());
    this.#waiting.add(bell);
    try {
      for (;;) {
        const group = await this.#describeIfThere(groupId, bell);
        if (group !== undefined && isAs(group, wanted)) return group;
        if (this.#closed) throw new Error(`the broker stopped before group ${groupId} was stable`);
        if (isLate) {
          throw new Error(
            `group ${groupId} is not stable${asked(wanted)} after ${timeoutMs} ms: ${told(group)}`,
          );
        }
        await bell.rung();
      }
    } finally {
      this.#waiting.delete(bell);
      unwatch();
      deadline.cancel();
    }
  }

  /** Undefined while the coordinator is not there: the first member of a group makes its topic. */
  async #describeIfThere(groupId: string, bell: Bell): Promise<GroupDescription | undefined> {
    try {
      return await this.#describe(groupId);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // What the group wrote is not committed in time; nothing tells when it is, but the next look waits for it too.
      if (error.code === Errors.COORDINATOR_NOT_AVAILABLE) bell.ring();
      return undefined;
    }
  }
}

/** Wakes the one who waits for it, or who will next: rung again and again meanwhile, it wakes once. */
class Bell {
  #hasRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#hasRung = true;
    this.#wake?.();
  }

  async rung(): Promise<void> {
    if (!this.#hasRung) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#hasRung = false;
    this.#wake = undefined;
  }
}

function classicDescription(group: DescribeGroupsResponse['groups'][number]): GroupDescription {
  const { groupId, groupState: state, protocolType, protocolData: assignor } = group;
  const isOfConsumers = protocolType === CONSUMER_PROTOCOL_TYPE;
  const members = group.members.map((member) => {
    const { memberId, groupInstanceId, clientId, clientHost, memberAssignment } = member;
    const partitions = isOfConsumers ? assignedIn(memberAssignment) : [];
    return { memberId, groupInstanceId, clientId, clientHost, partitions };
  });
  return { groupId, protocol: 'classic', state, assignor, members };
}

function consumerDescription(group: DescribedConsumerGroup): GroupDescription {
  const { groupId, groupState: state, assignorName: assignor } = group;
  const members = group.members.map(({ memberId, instanceId, clientId, clientHost, assignment }) => ({
    memberId,
    groupInstanceId: instanceId,
    clientId,
    clientHost,
    partitions: assignment.topicPartitions.flatMap(({ topicName: topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    ),
  }));
  return { groupId, protocol: 'consumer', state, assignor, members };
}

/** Assignments are the members' own affair: what can't be read is none. */
function assignedIn(assignment: Uint8Array): AssignedPartition[] {
  if (assignment.length <= VERSION_BYTES) return [];
  try {
    const reader = new Reader(assignment, VERSION_BYTES);
    const { assignedPartitions } = decodeFrom(ConsumerProtocolAssignment, ASSIGNMENT_VERSION, reader);
    return assignedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    );
  } catch {
    return [];
  }
}

function isAs({ state, members }: GroupDescription, wanted: StableGroup): boolean {
  if (state !== 'Stable') return false;
  if (wanted.members !== undefined && members.length !== wanted.members) return false;
  return wanted.partitions === undefined || partitionCount(members) === wanted.partitions;
}

const partitionCount = (members: readonly GroupMemberDescription[]): number =>
  members.reduce((sum, { partitions }) => sum + partitions.length, 0);

function asked({ members, partitions }: StableGroup): string {
  const parts = [
    ...(members === undefined ? [] : [`${members} members`]),
    ...(partitions === undefined ? [] : [`${partitions} partitions`]),
  ];
  return parts.length === 0 ? '' : ` with ${parts.join(' and ')}`;
}

function told(group: GroupDescription | undefined): string {
  if (group === undefined) return 'its coordinator is not there';
  const { state, members } = group;
  return `it is ${state} with ${members.length} members, who have ${partitionCount(members)} partitions`;
}
