/** Feature levels of the cluster (KIP-584, KIP-778): their names, ranges, and which record versions follow from them. */

export const METADATA_VERSION = 'metadata.version';
export const KRAFT_VERSION = 'kraft.version';
export const TRANSACTION_VERSION = 'transaction.version';
export const GROUP_VERSION = 'group.version';
export const ELR_VERSION = 'eligible.leader.replicas.version';
export const SHARE_VERSION = 'share.version';
export const STREAMS_VERSION = 'streams.version';

/** The levels of metadata.version in order, and whether each changed the metadata's own format. */
const metadataVersions: readonly {
  readonly level: number;
  readonly name: string;
  readonly changed: boolean;
}[] = [
  { level: 7, name: '3.3-IV3', changed: true },
  { level: 8, name: '3.4-IV0', changed: true },
  { level: 9, name: '3.5-IV0', changed: false },
  { level: 10, name: '3.5-IV1', changed: false },
  { level: 11, name: '3.5-IV2', changed: true },
  { level: 12, name: '3.6-IV0', changed: false },
  { level: 13, name: '3.6-IV1', changed: true },
  { level: 14, name: '3.6-IV2', changed: true },
  { level: 15, name: '3.7-IV0', changed: true },
  { level: 16, name: '3.7-IV1', changed: false },
  { level: 17, name: '3.7-IV2', changed: true },
  { level: 18, name: '3.7-IV3', changed: false },
  { level: 19, name: '3.7-IV4', changed: false },
  { level: 20, name: '3.8-IV0', changed: false },
  { level: 21, name: '3.9-IV0', changed: false },
  { level: 22, name: '4.0-IV0', changed: false },
  { level: 23, name: '4.0-IV1', changed: true },
  { level: 24, name: '4.0-IV2', changed: false },
  { level: 25, name: '4.0-IV3', changed: false },
  { level: 26, name: '4.1-IV0', changed: false },
  { level: 27, name: '4.1-IV1', changed: false },
  { level: 28, name: '4.2-IV0', changed: false },
  { level: 29, name: '4.2-IV1', changed: false },
  { level: 30, name: '4.3-IV0', changed: true },
  { level: 31, name: '4.4-IV0', changed: false },
  { level: 32, name: '4.4-IV1', changed: true },
  { level: 33, name: '4.4-IV2', changed: true },
];

export const MIN_METADATA_VERSION = 7;
export const MAX_METADATA_VERSION = 33;
/** What a new cluster gets: 4.3-IV0, so that Apache Kafka 4.3 can take it over. */
export const NEW_CLUSTER_METADATA_VERSION = 30;

/** The name of a level, as `3.3-IV3`; the bare number for one that is not known. */
export function metadataVersionName(level: number): string {
  return metadataVersions.find((one) => one.level === level)?.name ?? String(level);
}

/** The level for `4.3`, `4.3-IV0`; undefined where there is none. A release means its last level. */
export function metadataVersionLevel(name: string): number | undefined {
  const exact = metadataVersions.find((one) => one.name === name);
  return exact?.level ?? metadataVersions.findLast((one) => one.name.startsWith(`${name}-IV`))?.level;
}

export function isMetadataVersion(level: number): boolean {
  return metadataVersions.some((one) => one.level === level);
}

/** Whether going from one level to the other changes how metadata is written, which forbids a downgrade. */
export function metadataChangedBetween(one: number, other: number): boolean {
  const low = Math.min(one, other);
  const high = Math.max(one, other);
  return metadataVersions.some(({ level, changed }) => changed && level > low && level <= high);
}

/** What a metadata.version asks for. */
export const metadataVersionAllows = {
  scram: (level: number) => level >= 11,
  transactions: (level: number) => level >= 13,
  delegationTokens: (level: number) => level >= 14,
  controllerRegistration: (level: number) => level >= 15,
  directoryAssignment: (level: number) => level >= 17,
  elr: (level: number) => level >= 23,
  cordonedLogDirs: (level: number) => level >= 30,
  /** Before 3.6 a smaller ISR raised the leader epoch (KAFKA-15021). */
  leaderEpochBumpOnIsrShrink: (level: number) => level < 12,
} as const;

export function registerBrokerRecordVersion(level: number): number {
  if (metadataVersionAllows.cordonedLogDirs(level)) return 4;
  if (metadataVersionAllows.directoryAssignment(level)) return 3;
  return level >= 8 ? 2 : 1;
}

/** Of PartitionRecord and PartitionChangeRecord alike. */
export function partitionRecordVersion(level: number): number {
  if (metadataVersionAllows.elr(level)) return 2;
  return metadataVersionAllows.directoryAssignment(level) ? 1 : 0;
}

export interface FeatureRange {
  readonly min: number;
  readonly max: number;
}

/**
 * Ranges of the features that this broker can run with. The caller says which of the optional ones are served; the
 * others are left out, so that nobody can finalize them.
 */
export function supportedFeatures(served: ReadonlyMap<string, number>): ReadonlyMap<string, FeatureRange> {
  const features = new Map<string, FeatureRange>([
    [METADATA_VERSION, { min: MIN_METADATA_VERSION, max: MAX_METADATA_VERSION }],
    [KRAFT_VERSION, { min: 0, max: 1 }],
  ]);
  for (const [name, max] of served) features.set(name, { min: 0, max });
  return features;
}

/** The optional features of Apache Kafka 4.4. */
const knownFeatures: readonly string[] = [
  TRANSACTION_VERSION,
  GROUP_VERSION,
  ELR_VERSION,
  SHARE_VERSION,
  STREAMS_VERSION,
];

/**
 * The features that a folder of Apache Kafka has finalized and that this broker knows but does not serve. They do no
 * harm: clients are not told of them, and what they stand for is refused by name.
 */
export function finalizedUnserved(
  supported: ReadonlyMap<string, FeatureRange>,
  finalized: ReadonlyMap<string, number>,
): readonly string[] {
  return knownFeatures.filter((name) => !supported.has(name) && (finalized.get(name) ?? 0) > 0);
}

/** What must be finalized before another feature may be: [metadata.version, other features]. */
const dependencies: readonly {
  readonly feature: string;
  readonly level: number;
  readonly needs: readonly (readonly [name: string, level: number])[];
}[] = [
  { feature: TRANSACTION_VERSION, level: 1, needs: [[METADATA_VERSION, 7]] },
  { feature: TRANSACTION_VERSION, level: 2, needs: [[METADATA_VERSION, 7]] },
  { feature: GROUP_VERSION, level: 1, needs: [[METADATA_VERSION, 22]] },
  { feature: ELR_VERSION, level: 1, needs: [[METADATA_VERSION, 23]] },
  { feature: SHARE_VERSION, level: 1, needs: [[METADATA_VERSION, 28]] },
  { feature: STREAMS_VERSION, level: 1, needs: [[METADATA_VERSION, 29]] },
];

/** Why `feature` may not be at `level` beside the others; undefined where it may. */
export function unmetDependency(
  feature: string,
  level: number,
  proposed: ReadonlyMap<string, number>,
): string | undefined {
  for (const rule of dependencies) {
    if (rule.feature !== feature || rule.level !== level) continue;
    for (const [name, needed] of rule.needs) {
      if ((proposed.get(name) ?? 0) >= needed) continue;
      const shown = name === METADATA_VERSION ? metadataVersionName(needed) : String(needed);
      return `it needs ${name} ${needed} (${shown}) or above.`;
    }
  }
  return undefined;
}

export interface ApiVersionsFeatures {
  readonly supportedFeatures: { name: string; minVersion: number; maxVersion: number }[];
  readonly finalizedFeatures: { name: string; maxVersionLevel: number; minVersionLevel: number }[];
  readonly finalizedFeaturesEpoch: number;
}

/**
 * The feature fields of ApiVersionsResponse. Clients before version 4 of it reject a minimum of 0, so those features
 * are left out for them (KAFKA-17492). Features that are finalized but not served here are not told to clients, who
 * would use them.
 */
export function apiVersionsFeatures(
  supported: ReadonlyMap<string, FeatureRange>,
  finalized: {
    readonly metadataVersion: number;
    readonly finalized: ReadonlyMap<string, number>;
    readonly epoch: number;
  },
  apiVersion: number,
  kraftVersion = 0,
): ApiVersionsFeatures {
  const rows: ApiVersionsFeatures['supportedFeatures'] = [];
  for (const [name, { min, max }] of supported) {
    if (apiVersion < 4 && min === 0) continue;
    rows.push({ name, minVersion: min, maxVersion: max });
  }
  const levels = new Map(finalized.finalized);
  if (finalized.metadataVersion > 0) levels.set(METADATA_VERSION, finalized.metadataVersion);
  if (kraftVersion > 0) levels.set(KRAFT_VERSION, kraftVersion);
  const done: ApiVersionsFeatures['finalizedFeatures'] = [];
  for (const [name, level] of levels) {
    const range = supported.get(name);
    if (level === 0 || range === undefined) continue;
    const shown = Math.min(level, range.max);
    done.push({ name, maxVersionLevel: shown, minVersionLevel: shown });
  }
  return { supportedFeatures: rows, finalizedFeatures: done, finalizedFeaturesEpoch: finalized.epoch };
}
