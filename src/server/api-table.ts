import type { ApiRow } from './api-row.ts';
import { aclRows } from './handlers/acls.ts';
import { addOffsetsToTxnRow } from './handlers/add-offsets-to-txn.ts';
import { addPartitionsToTxnRow } from './handlers/add-partitions-to-txn.ts';
import { alterConfigsRow } from './handlers/alter-configs.ts';
import { alterReplicaLogDirsRow } from './handlers/alter-replica-log-dirs.ts';
import { consumerGroupDescribeRow } from './handlers/consumer-group-describe.ts';
import { consumerGroupHeartbeatRow } from './handlers/consumer-group-heartbeat.ts';
import { deleteGroupsRow } from './handlers/delete-groups.ts';
import { deleteRecordsRow } from './handlers/delete-records.ts';
import { describeClientQuotasRow } from './handlers/describe-client-quotas.ts';
import { describeClusterRow } from './handlers/describe-cluster.ts';
import { describeConfigsRow } from './handlers/describe-configs.ts';
import { describeGroupsRow } from './handlers/describe-groups.ts';
import { describeLogDirsRow } from './handlers/describe-log-dirs.ts';
import { describeProducersRow } from './handlers/describe-producers.ts';
import { describeTopicPartitionsRow } from './handlers/describe-topic-partitions.ts';
import { describeTransactionsRow } from './handlers/describe-transactions.ts';
import { describeUserScramCredentialsRow } from './handlers/describe-user-scram-credentials.ts';
import { endTxnRow } from './handlers/end-txn.ts';
import { fetchRow } from './handlers/fetch.ts';
import { findCoordinatorRow } from './handlers/find-coordinator.ts';
import { forwardedRows } from './handlers/forwarded.ts';
import { heartbeatRow } from './handlers/heartbeat.ts';
import { incrementalAlterConfigsRow } from './handlers/incremental-alter-configs.ts';
import { initProducerIdRow } from './handlers/init-producer-id.ts';
import { joinGroupRow } from './handlers/join-group.ts';
import { leaveGroupRow } from './handlers/leave-group.ts';
import { listConfigResourcesRow } from './handlers/list-config-resources.ts';
import { listGroupsRow } from './handlers/list-groups.ts';
import { listOffsetsRow } from './handlers/list-offsets.ts';
import { listTransactionsRow } from './handlers/list-transactions.ts';
import { metadataRow } from './handlers/metadata.ts';
import { offsetCommitRow } from './handlers/offset-commit.ts';
import { offsetDeleteRow } from './handlers/offset-delete.ts';
import { offsetFetchRow } from './handlers/offset-fetch.ts';
import { offsetForLeaderEpochRow } from './handlers/offset-for-leader-epoch.ts';
import { produceRow } from './handlers/produce.ts';
import { syncGroupRow } from './handlers/sync-group.ts';
import { txnOffsetCommitRow } from './handlers/txn-offset-commit.ts';
import { writeTxnMarkersRow } from './handlers/write-txn-markers.ts';
import type { HandlerServices } from './services.ts';

/** Every API of the broker listeners except ApiVersions, which is derived from this table. */
export function brokerRows(services: HandlerServices): readonly ApiRow[] {
  return [
    produceRow(services),
    fetchRow(services),
    listOffsetsRow(services),
    metadataRow(services),
    findCoordinatorRow(services),
    joinGroupRow(services),
    syncGroupRow(services),
    heartbeatRow(services),
    leaveGroupRow(services),
    consumerGroupHeartbeatRow(services),
    offsetCommitRow(services),
    offsetFetchRow(services),
    offsetDeleteRow(services),
    listGroupsRow(services),
    describeGroupsRow(services),
    consumerGroupDescribeRow(services),
    deleteGroupsRow(services),
    initProducerIdRow(services),
    addPartitionsToTxnRow(services),
    addOffsetsToTxnRow(services),
    endTxnRow(services),
    writeTxnMarkersRow(services),
    txnOffsetCommitRow(services),
    describeTransactionsRow(services),
    listTransactionsRow(services),
    offsetForLeaderEpochRow(services),
    alterConfigsRow(services),
    incrementalAlterConfigsRow(services),
    describeConfigsRow(services),
    listConfigResourcesRow(services),
    describeClusterRow(services),
    describeLogDirsRow(services),
    alterReplicaLogDirsRow(services),
    describeTopicPartitionsRow(services),
    describeProducersRow(services),
    deleteRecordsRow(services),
    describeClientQuotasRow(services),
    describeUserScramCredentialsRow(services),
    ...aclRows(),
    ...forwardedRows(services),
  ];
}
