export { failedConsumerDescription } from './group/consumer-describe.ts';
export { failedHeartbeat } from './group/consumer-heartbeat.ts';
export { coordinatorError } from './group/coordinator-error.ts';
export { failedDescription } from './group/describe.ts';
export { type GroupCoordinatorConfig, groupCoordinatorConfigOf } from './group/group-config.ts';
export { commitFailure, GroupCoordinator, type GroupCoordinatorOptions } from './group/group-coordinator.ts';
export type { GroupRequestContext } from './group/group-result.ts';
export type { GroupSettings } from './group/group-settings.ts';
export { type GroupTopics, MetadataTopics } from './group/group-topics.ts';
export type { OffsetFetchGroup, OffsetFetchGroupResponse } from './group/offset-handlers.ts';
export { partitionForGroup } from './group/partition-for.ts';
export { joinFailure, syncFailure } from './group/rebalance.ts';
export type { CoordinatorAppend, CoordinatorLog } from './runtime/ports.ts';
export { undescribedTransaction } from './transaction/list-transactions.ts';
export type { MarkerWriter } from './transaction/marker-queue.ts';
export {
  type TransactionCoordinatorConfig,
  transactionCoordinatorConfigOf,
} from './transaction/transaction-config.ts';
export {
  OLD_CLIENT_VERSION,
  TransactionCoordinator,
  type TransactionCoordinatorOptions,
} from './transaction/transaction-coordinator.ts';
