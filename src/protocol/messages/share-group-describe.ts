import { array, bool, type Infer, int16, int32, message, string, struct, uuid } from '../schema.ts';

/** Asks for the state of share groups (KIP-932). */
export const ShareGroupDescribeRequest = message(
  { name: 'ShareGroupDescribeRequest', apiKey: 77, versions: [0, 1], flexible: 0 },
  {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
  },
);
export type ShareGroupDescribeRequest = Infer<typeof ShareGroupDescribeRequest>;

const topicPartitions = {
  topicId: uuid,
  topicName: string,
  partitions: array(int32),
};

const assignment = {
  topicPartitions: array(topicPartitions),
};

/** Members with their assignments. */
export const ShareGroupDescribeResponse = message(
  { name: 'ShareGroupDescribeResponse', apiKey: 77, versions: [0, 1], flexible: 0 },
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
        rackId: string.nullable().default(null),
        memberEpoch: int32,
        clientId: string,
        clientHost: string,
        subscribedTopicNames: array(string),
        assignment: struct(assignment),
      }),
      authorizedOperations: int32.default(-2147483648),
    }),
  },
);
export type ShareGroupDescribeResponse = Infer<typeof ShareGroupDescribeResponse>;
