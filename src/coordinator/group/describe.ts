import { Errors } from '../../protocol/errors.ts';
import type { DescribeGroupsResponse } from '../../protocol/messages/describe-groups.ts';
import type { ListGroupsRequest, ListGroupsResponse } from '../../protocol/messages/list-groups.ts';
import type { ClassicGroup } from './classic-group.ts';
import { NO_BYTES } from './classic-member.ts';

type DescribedGroup = DescribeGroupsResponse['groups'][number];

const GROUP_TYPE = 'classic';
/** A group that is not there has an error of its own from this version on (KIP-1043); before, it is dead. */
const NOT_FOUND_VERSION_MIN = 6;
/** What stands in an answer whose request did not ask for the permitted operations. */
const OPERATIONS_NOT_ASKED = -0x8000_0000;

export function listedGroup(group: ClassicGroup): ListGroupsResponse['groups'][number] {
  return {
    groupId: group.groupId,
    protocolType: group.protocolType ?? '',
    groupState: group.state,
    groupType: GROUP_TYPE,
  };
}

/** Whether the group has one of the states and one of the types asked for; none given asks for all. */
export function matchesFilters(
  group: ClassicGroup,
  { statesFilter, typesFilter }: ListGroupsRequest,
): boolean {
  const matches = (wanted: readonly string[], actual: string) =>
    wanted.length === 0 || wanted.some((one) => one.trim().toLowerCase() === actual);
  return matches(statesFilter, group.state.toLowerCase()) && matches(typesFilter, GROUP_TYPE);
}

/** The group with its members; what they subscribe to only where the group is stable. */
export function describeGroup(
  groupId: string,
  group: ClassicGroup | undefined,
  apiVersion: number,
): DescribedGroup {
  if (group === undefined) return unknownGroup(groupId, apiVersion);
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
    tells ? `there is no group ${groupId}` : null,
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
