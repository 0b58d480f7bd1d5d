import type { Uuid } from '../../base/uuid.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import type { ConsumerGroupDescribeResponse } from '../../protocol/messages/consumer-group-describe.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import { type ConsumerGroupMember, heldPartitions } from './consumer-member.ts';
import { OPERATIONS_NOT_ASKED } from './describe.ts';
import type { GroupTopics } from './group-topics.ts';

export type DescribedConsumerGroup = ConsumerGroupDescribeResponse['groups'][number];
type DescribedMember = DescribedConsumerGroup['members'][number];
type DescribedPartitions = DescribedMember['assignment'];

/** Which protocol a member speaks (KIP-1099). */
const MemberType = { CLASSIC: 0, CONSUMER: 1 } as const;

/** A consumer group with all that its members have and shall get. */
export function describeConsumerGroup(
  group: ConsumerGroup,
  assignorName: string,
  topics: GroupTopics,
): DescribedConsumerGroup {
  return {
    errorCode: Errors.NONE,
    errorMessage: null,
    groupId: group.groupId,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName,
    members: Array.from(group.members.values(), (member) => describeMember(group, member, topics)),
    authorizedOperations: OPERATIONS_NOT_ASKED,
  };
}

export function failedConsumerDescription(
  groupId: string,
  errorCode: ErrorCode,
  errorMessage: string | null = null,
): DescribedConsumerGroup {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
    authorizedOperations: OPERATIONS_NOT_ASKED,
  };
}

function describeMember(
  group: ConsumerGroup,
  member: ConsumerGroupMember,
  topics: GroupTopics,
): DescribedMember {
  const { memberId, instanceId, rackId, memberEpoch, clientId, clientHost } = member;
  return {
    memberId,
    instanceId,
    rackId,
    memberEpoch,
    clientId,
    clientHost,
    subscribedTopicNames: [...member.subscribedTopicNames],
    subscribedTopicRegex: member.subscribedTopicRegex,
    assignment: describePartitions(heldPartitions(member), topics),
    targetAssignment: describePartitions(group.targetOf(memberId), topics),
    memberType: member.classic === null ? MemberType.CONSUMER : MemberType.CLASSIC,
  };
}

/** Topics that are gone have no names to be told by. */
function describePartitions(
  assignment: ReadonlyMap<Uuid, readonly number[]>,
  topics: GroupTopics,
): DescribedPartitions {
  const topicPartitions: DescribedPartitions['topicPartitions'][number][] = [];
  for (const [topicId, partitions] of assignment) {
    const topicName = topics.nameOf(topicId);
    if (topicName === undefined) continue;
    topicPartitions.push({ topicId, topicName, partitions: [...partitions].sort((a, b) => a - b) });
  }
  return { topicPartitions };
}
