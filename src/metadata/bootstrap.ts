import { METADATA_VERSION } from './features.ts';
import { type MetadataRecord, record } from './records.ts';

/** The records that a new cluster starts with: the metadata.version, then the other features by name. */
export function bootstrapRecords(
  metadataVersion: number,
  features: ReadonlyMap<string, number>,
): MetadataRecord[] {
  const others = [...features].filter(([, level]) => level > 0).sort(([a], [b]) => (a < b ? -1 : 1));
  return [[METADATA_VERSION, metadataVersion] as const, ...others].map(([name, featureLevel]) =>
    record('FeatureLevelRecord', 0, { name, featureLevel }),
  );
}

/** The metadata.version in a cluster's first records; undefined where they set none. */
export function metadataVersionIn(records: readonly MetadataRecord[]): number | undefined {
  for (const one of records) {
    if (one.type === 'FeatureLevelRecord' && one.data.name === METADATA_VERSION) return one.data.featureLevel;
  }
  return undefined;
}
