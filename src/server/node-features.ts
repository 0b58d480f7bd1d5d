import { bootstrapRecords } from '../metadata/bootstrap.ts';
import {
  ELR_VERSION,
  type FeatureRange,
  GROUP_VERSION,
  NEW_CLUSTER_METADATA_VERSION,
  supportedFeatures,
  TRANSACTION_VERSION,
} from '../metadata/features.ts';
import type { MetadataRecord } from '../metadata/records.ts';

/** The optional features that this broker can run with, and their newest levels. */
const SERVED: ReadonlyMap<string, number> = new Map([
  [ELR_VERSION, 1],
  [GROUP_VERSION, 1],
  [TRANSACTION_VERSION, 2],
]);

export const NODE_FEATURES: ReadonlyMap<string, FeatureRange> = supportedFeatures(SERVED);

/** What a new cluster starts with: the features that Apache Kafka 4.3 finalizes, as far as they are served. */
export const NEW_CLUSTER_RECORDS: readonly MetadataRecord[] = bootstrapRecords(
  NEW_CLUSTER_METADATA_VERSION,
  SERVED,
);
