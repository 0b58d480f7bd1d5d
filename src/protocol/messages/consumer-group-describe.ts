import { array, bool, type Infer, int8, int16, int32, message, string, struct, uuid } from '../schema.ts';

/** Asks for the state of groups of the new protocol (KIP-848). */
export const ConsumerGroupDescribeRequest = message(
  { name: 'ConsumerGroupDescribeRequest', apiKey: 69, versions: [0, 1], flexible: 0 },
  {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
  },
);
export type ConsumerGroupDescribeRequest = Infer<typeof ConsumerGroupDescribeRequest>;

const topicPartitions = {
  topicId: uuid,
  topicName: string,
  partitions: array(int32),
};

const assignment = {
  topicPartitions: array(topicPartitions),
};

/** Members with what they have and what they shall get. Their type since v1 (KIP-1099). */
export const ConsumerGroupDescribeResponse = message(
  { name: 'ConsumerGroupDescribeResponse', apiKey: 69, versions: [0, 1], flexible: 0 },
  {
    throttleTimeMs: int32,
    groups: array({
      errorCode: int16,
      errorMessage: string.nullable().default(null),
      groupId: string,
      groupState: string,
      groupEpoch: int32,
      assignmentEpoch: int32,
      assignorName: string,
      members: array({
        memberId: string,
        instanceId: string.nullable().default(null),
        rackId: string.nullable().default(null),
        memberEpoch: int32,
        clientId: string,
        clientHost: string,
        subscribedTopicNames: array(string),
        subscribedTopicRegex: string.nullable().default(null),
        assignment: struct(assignment),
        targetAssignment: struct(assignment),
        memberType: int8.since(1).default(-1).ignorable(),
      }),
      authorizedOperations: int32.default(-2147483648),
    }),
  },
);
export type ConsumerGroupDescribeResponse = Infer<typeof ConsumerGroupDescribeResponse>;
