import { Errors } from '../../protocol/errors.ts';
import type { DescribeGroupsResponse } from '../../protocol/messages/describe-groups.ts';
import type { ListGroupsRequest, ListGroupsResponse } from '../../protocol/messages/list-groups.ts';
import { type ClassicGroup, CONSUMER_PROTOCOL_TYPE } from './classic-group.ts';
import { NO_BYTES } from './classic-member.ts';
import type { Group } from './consumer-groups.ts';

type DescribedGroup = DescribeGroupsResponse['groups'][number];

/** A group that is not there has an error of its own from this version on (KIP-1043); before, it is dead. */
const NOT_FOUND_VERSION_MIN = 6;
/** What stands in an answer whose request did not ask for the permitted operations. */
export const OPERATIONS_NOT_ASKED = -0x8000_0000;

export function listedGroup(group: Group): ListGroupsResponse['groups'][number] {
  return {
    groupId: group.groupId,
    protocolType: group.type === 'consumer' ? CONSUMER_PROTOCOL_TYPE : (group.protocolType ?? ''),
    groupState: group.state,
    groupType: group.type,
  };
}

/** Whether the group has one of the states and one of the types asked for; none given asks for all. */
export function matchesFilters(group: Group, { statesFilter, typesFilter }: ListGroupsRequest): boolean {
  const matches = (wanted: readonly string[], actual: string) =>
    wanted.length === 0 || wanted.some((one) => one.trim().toLowerCase() === actual);
  return matches(statesFilter, group.state.toLowerCase()) && matches(typesFilter, group.type);
}

/** The classic group with its members; what they subscribe to only where the group is stable. */
export function describeGroup(groupId: string, found: Group | undefined, apiVersion: number): DescribedGroup {
  if (found?.type !== 'classic') return unknownGroup(groupId, apiVersion);
  const group: ClassicGroup = found;
  const isStable = group.state === 'Stable';
  return {
    errorCode: Errors.NONE,
    errorMessage: null,
    groupId,
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: isStable ? (group.protocolName ?? '') : '',
    members: Array.from(group.members(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: isStable ? member.metadataFor(group.protocolName) : NO_BYTES,
      memberAssignment: member.assignment,
    })),
    authorizedOperations: OPERATIONS_NOT_ASKED,
  };
}

function unknownGroup(groupId: string, apiVersion: number): DescribedGroup {
  const tells = apiVersion >= NOT_FOUND_VERSION_MIN;
  return failedDescription(
    groupId,
    tells ? Errors.GROUP_ID_NOT_FOUND : Errors.NONE,
    tells ? `there is no classic group ${groupId}` : null,
    'Dead',
  );
}

export function failedDescription(
  groupId: string,
  errorCode: DescribedGroup['errorCode'],
  errorMessage: string | null = null,
  groupState = '',
): DescribedGroup {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState,
    protocolType: '',
    protocolData: '',
    members: [],
    authorizedOperations: OPERATIONS_NOT_ASKED,
  };
}
