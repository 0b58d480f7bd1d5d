export { failedDescription } from './group/describe.ts';
export { type GroupCoordinatorConfig, groupCoordinatorConfigOf } from './group/group-config.ts';
export { commitFailure, GroupCoordinator, type GroupCoordinatorOptions } from './group/group-coordinator.ts';
export type { GroupRequestContext } from './group/group-result.ts';
export type { OffsetFetchGroup, OffsetFetchGroupResponse } from './group/offset-handlers.ts';
export { partitionForGroup } from './group/partition-for.ts';
export { joinFailure, syncFailure } from './group/rebalance.ts';
export type { CoordinatorLog } from './runtime/ports.ts';
