import { array, bool, bytes, type Infer, int16, int32, message, string } from '../schema.ts';

/** Asks for the state of classic groups. Their permitted operations since v3 (KIP-430). */
export const DescribeGroupsRequest = message(
  { name: 'DescribeGroupsRequest', apiKey: 15, versions: [0, 6], flexible: 5 },
  {
    groups: array(string),
    includeAuthorizedOperations: bool.since(3),
  },
);
export type DescribeGroupsRequest = Infer<typeof DescribeGroupsRequest>;

/**
 * Members with their subscriptions and assignments as the clients wrote them. v6 tells unknown groups
 * with an error (KIP-1043).
 */
export const DescribeGroupsResponse = message(
  { name: 'DescribeGroupsResponse', apiKey: 15, versions: [0, 6], flexible: 5 },
  {
    throttleTimeMs: int32.since(1).ignorable(),
    groups: array({
      errorCode: int16,
      errorMessage: string.since(6).nullable().default(null),
      groupId: string,
      groupState: string,
      protocolType: string,
      protocolData: string,
      members: array({
        memberId: string,
        groupInstanceId: string.since(4).nullable().default(null).ignorable(),
        clientId: string,
        clientHost: string,
        memberMetadata: bytes,
        memberAssignment: bytes,
      }),
      authorizedOperations: int32.since(3).default(-2147483648),
    }),
  },
);
export type DescribeGroupsResponse = Infer<typeof DescribeGroupsResponse>;
