import { bootstrapRecords, metadataVersionIn } from '../metadata/bootstrap.ts';
import { ELR_VERSION, metadataVersionAllows, NEW_CLUSTER_METADATA_VERSION } from '../metadata/features.ts';
import { type MetadataRecord, record } from '../metadata/records.ts';

export interface ActivationInput {
  /** 0 where the log has set none: a new cluster. */
  readonly metadataVersion: number;
  readonly openTransactionOffset: number | undefined;
  /** From `bootstrap.checkpoint` or the snapshot at offset 0; undefined where neither is there. */
  readonly bootstrap: readonly MetadataRecord[] | undefined;
  readonly minInsyncReplicas: number;
}

/**
 * What a new leader writes first: the cluster's first records in a metadata transaction, and the end of a transaction
 * that its predecessor left open.
 */
export function activationRecords(input: ActivationInput): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  if (input.openTransactionOffset !== undefined) {
    records.push(record('AbortTransactionRecord', 0, { reason: 'Controller failover' }));
  }
  if (input.metadataVersion > 0) return records;
  const bootstrap = input.bootstrap ?? bootstrapRecords(NEW_CLUSTER_METADATA_VERSION, new Map());
  const transaction = metadataVersionAllows.transactions(metadataVersionIn(bootstrap) ?? 0);
  if (transaction) records.push(record('BeginTransactionRecord', 0, { name: 'Bootstrap records' }));
  for (const one of bootstrap) records.push(one);
  const usesElr = bootstrap.some(
    (one) => one.type === 'FeatureLevelRecord' && one.data.name === ELR_VERSION && one.data.featureLevel > 0,
  );
  if (usesElr) {
    const value = String(input.minInsyncReplicas);
    records.push(
      record('ConfigRecord', 0, { resourceType: 4, resourceName: '', name: 'min.insync.replicas', value }),
    );
  }
  if (transaction) records.push(record('EndTransactionRecord', 0, {}));
  return records;
}
