export { LeaderEpochCache } from './epoch-cache.ts';
export { type OpenLogInput, openLog } from './loader.ts';
export { PartitionLog } from './log.ts';
export { defaultLogIntervals, type LogIntervals, LogManager, type LogManagerInput } from './log-manager.ts';
export { defaultLogOptions, type LogOptions, type SharedLogState, sharedLogState } from './log-options.ts';
export { checkProducedRecords } from './log-validator.ts';
export { EARLIEST_LOCAL_TIMESTAMP, EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, MAX_TIMESTAMP } from './lookup.ts';
export { RecordValidationError } from './record-checks.ts';
export type * from './types.ts';
