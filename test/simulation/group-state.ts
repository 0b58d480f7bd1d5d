import type { GroupCoordinator } from '../../src/coordinator/index.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { turnOver, type VirtualTime } from '../unit/coordinator/support.ts';

/** How many offsets each group has in a topic. */
export async function offsetsIn(
  coordinator: GroupCoordinator,
  time: VirtualTime,
  groups: readonly string[],
  topic: string,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const groupId of groups) {
    const request = { groupId, memberId: null, memberEpoch: -1, topics: null };
    coordinator.fetchOffsets(request, true, ({ topics }) => {
      found.set(groupId, topics.find(({ name }) => name === topic)?.partitions.length ?? 0);
    });
  }
  await turnOver(time);
  return found;
}

/** All that a coordinator tells of some groups, to be compared with what another one tells; empty while it loads them. */
export async function stateOf(coordinator: GroupCoordinator, groups: readonly string[]): Promise<string> {
  const asked = { groups: [...groups], includeAuthorizedOperations: false };
  const described = await coordinator.describeGroups(asked, 6);
  if (described.some(({ errorCode }) => errorCode === Errors.COORDINATOR_LOAD_IN_PROGRESS)) return '';
  const shown: string[] = [];
  for (const { members, groupState, protocolData } of described) {
    shown.push(groupState, protocolData);
    for (const { memberMetadata, memberAssignment, ...member } of members) {
      const bytes = [memberMetadata, memberAssignment].map((one) => Buffer.from(one).toString('hex'));
      shown.push(JSON.stringify([member, bytes]));
    }
  }
  for (const groupId of groups) {
    const request = { groupId, memberId: null, memberEpoch: -1, topics: null };
    coordinator.fetchOffsets(request, true, ({ topics }) => {
      for (const { name, partitions } of topics) {
        shown.push(...partitions.map((one) => JSON.stringify([groupId, name, one])));
      }
    });
  }
  for (const consumers of await coordinator.describeConsumerGroups([...groups])) {
    const { groupState, groupEpoch, assignmentEpoch } = consumers;
    shown.push(...consumers.members.map((member) => JSON.stringify(member)));
    shown.push(JSON.stringify([groupState, groupEpoch, assignmentEpoch]));
  }
  // Members and offsets come in the order in which they were made, or in that of the log.
  return shown.sort().join('\n');
}
