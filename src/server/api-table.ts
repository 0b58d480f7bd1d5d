import type { ApiRow } from './api-row.ts';
import { alterConfigsRow } from './handlers/alter-configs.ts';
import { describeClusterRow } from './handlers/describe-cluster.ts';
import { describeConfigsRow } from './handlers/describe-configs.ts';
import { describeLogDirsRow } from './handlers/describe-log-dirs.ts';
import { describeTopicPartitionsRow } from './handlers/describe-topic-partitions.ts';
import { fetchRow } from './handlers/fetch.ts';
import { findCoordinatorRow } from './handlers/find-coordinator.ts';
import { forwardedRows } from './handlers/forwarded.ts';
import { incrementalAlterConfigsRow } from './handlers/incremental-alter-configs.ts';
import { initProducerIdRow } from './handlers/init-producer-id.ts';
import { listOffsetsRow } from './handlers/list-offsets.ts';
import { metadataRow } from './handlers/metadata.ts';
import { offsetForLeaderEpochRow } from './handlers/offset-for-leader-epoch.ts';
import { produceRow } from './handlers/produce.ts';
import type { HandlerServices } from './services.ts';

/** Every API of the broker listeners except ApiVersions, which is derived from this table. */
export function brokerRows(services: HandlerServices): readonly ApiRow[] {
  return [
    produceRow(services),
    fetchRow(services),
    listOffsetsRow(services),
    metadataRow(services),
    findCoordinatorRow(services),
    initProducerIdRow(services),
    offsetForLeaderEpochRow(services),
    alterConfigsRow(services),
    incrementalAlterConfigsRow(services),
    describeConfigsRow(services),
    describeClusterRow(services),
    describeLogDirsRow(services),
    describeTopicPartitionsRow(services),
    ...forwardedRows(services),
  ];
}
