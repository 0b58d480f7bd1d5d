import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import { metadataVersionAllows, partitionRecordVersion, registerBrokerRecordVersion } from './features.ts';
import { type MetadataRecord, type RecordData, record } from './records.ts';

/** Where a replica's directory is not known yet: assigned by older versions, or not asked for. */
export const MIGRATING_DIRECTORY = ZERO_UUID;
/** Reserved directory ids of KIP-858: unassigned (…AQ) and lost (…Ag), after the zero one. */
export const UNASSIGNED_DIRECTORY = 'AAAAAAAAAAAAAAAAAAAAAQ' as Uuid;
export const LOST_DIRECTORY = 'AAAAAAAAAAAAAAAAAAAAAg' as Uuid;
const LAST_RESERVED = 100;

/** Whether a directory id is one of the first hundred, which no directory may have. */
export function isReservedDirectory(id: Uuid): boolean {
  const bytes = Buffer.from(id, 'base64url');
  return bytes.subarray(0, 15).every((byte) => byte === 0) && (bytes[15] ?? 0) < LAST_RESERVED;
}

export const NO_LEADER = -1;
export const NO_LEADER_CHANGE = -2;

/** A partition as the cluster knows it. Immutable: a change makes a new one. */
export interface PartitionRegistration {
  readonly replicas: readonly number[];
  /** One for each replica, in the same order. */
  readonly directories: readonly Uuid[];
  readonly isr: readonly number[];
  readonly removingReplicas: readonly number[];
  readonly addingReplicas: readonly number[];
  /** -1 where there is none. */
  readonly leader: number;
  /** 0 recovered, 1 recovering from an unclean election. */
  readonly leaderRecoveryState: number;
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
  readonly elr: readonly number[];
  readonly lastKnownElr: readonly number[];
}

// Nearly all partitions have none most of the time: they share one array rather than have four each.
const noReplicas: readonly number[] = [];
const orNone = (replicas: readonly number[]): readonly number[] =>
  replicas.length === 0 ? noReplicas : replicas;

export function partitionOf(data: RecordData<'PartitionRecord'>): PartitionRegistration {
  return {
    replicas: data.replicas,
    directories: directoriesFor(data.directories, data.replicas.length),
    isr: data.isr,
    removingReplicas: orNone(data.removingReplicas),
    addingReplicas: orNone(data.addingReplicas),
    leader: data.leader,
    leaderRecoveryState: data.leaderRecoveryState,
    leaderEpoch: data.leaderEpoch,
    partitionEpoch: data.partitionEpoch,
    elr: orNone(data.eligibleLeaderReplicas ?? noReplicas),
    lastKnownElr: orNone(data.lastKnownElr ?? noReplicas),
  };
}

/** The partition after a change. Naming a leader, also the same one, starts a new leader epoch. */
export function mergePartition(
  old: PartitionRegistration,
  change: RecordData<'PartitionChangeRecord'>,
): PartitionRegistration {
  const replicas = change.replicas ?? old.replicas;
  const leaderNamed = change.leader !== NO_LEADER_CHANGE;
  return {
    replicas,
    directories: directoriesFor(change.directories ?? old.directories, replicas.length),
    isr: change.isr ?? old.isr,
    removingReplicas: change.removingReplicas ?? old.removingReplicas,
    addingReplicas: change.addingReplicas ?? old.addingReplicas,
    leader: leaderNamed ? change.leader : old.leader,
    leaderRecoveryState:
      change.leaderRecoveryState === -1 ? old.leaderRecoveryState : change.leaderRecoveryState,
    leaderEpoch: leaderNamed ? old.leaderEpoch + 1 : old.leaderEpoch,
    partitionEpoch: old.partitionEpoch + 1,
    elr: change.eligibleLeaderReplicas ?? old.elr,
    lastKnownElr: change.lastKnownElr ?? old.lastKnownElr,
  };
}

function directoriesFor(directories: readonly Uuid[], count: number): readonly Uuid[] {
  return directories.length === 0 && count > 0 ? Array<Uuid>(count).fill(MIGRATING_DIRECTORY) : directories;
}

/** The PartitionRecord that says all of `partition`, in the version that the metadata.version asks for. */
export function partitionRecord(
  topicId: Uuid,
  partitionId: number,
  partition: PartitionRegistration,
  metadataVersion: number,
): MetadataRecord {
  const elr = metadataVersionAllows.elr(metadataVersion);
  return {
    type: 'PartitionRecord',
    version: partitionRecordVersion(metadataVersion),
    data: {
      partitionId,
      topicId,
      replicas: partition.replicas,
      isr: partition.isr,
      removingReplicas: partition.removingReplicas,
      addingReplicas: partition.addingReplicas,
      leader: partition.leader,
      leaderRecoveryState: partition.leaderRecoveryState,
      leaderEpoch: partition.leaderEpoch,
      partitionEpoch: partition.partitionEpoch,
      directories: metadataVersionAllows.directoryAssignment(metadataVersion) ? partition.directories : [],
      eligibleLeaderReplicas: elr && partition.elr.length > 0 ? partition.elr : null,
      lastKnownElr: elr && partition.lastKnownElr.length > 0 ? partition.lastKnownElr : null,
    },
  };
}

export interface MetadataEndpoint {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL. */
  readonly securityProtocol: number;
}

export interface FeatureSupport {
  readonly name: string;
  readonly minSupportedVersion: number;
  readonly maxSupportedVersion: number;
}

/** A broker as the cluster knows it. Immutable. */
export interface BrokerRegistration {
  readonly id: number;
  readonly epoch: number;
  readonly incarnationId: Uuid;
  readonly endPoints: readonly MetadataEndpoint[];
  readonly features: readonly FeatureSupport[];
  readonly rack: string | null;
  readonly fenced: boolean;
  readonly inControlledShutdown: boolean;
  readonly isMigratingZkBroker: boolean;
  /** Ids of the log dirs that are online. */
  readonly directories: readonly Uuid[];
  /** Log dirs that take no new replicas; null until the broker has said. */
  readonly cordonedDirectories: readonly Uuid[] | null;
}

export function brokerOf(data: RecordData<'RegisterBrokerRecord'>): BrokerRegistration {
  return {
    id: data.brokerId,
    epoch: data.brokerEpoch,
    incarnationId: data.incarnationId,
    endPoints: data.endPoints,
    features: data.features,
    rack: data.rack,
    fenced: data.fenced,
    inControlledShutdown: data.inControlledShutdown,
    isMigratingZkBroker: data.isMigratingZkBroker,
    directories: data.logDirs,
    cordonedDirectories: data.cordonedLogDirs,
  };
}

/** What of a registration a record changes; what is left out stays. */
export interface BrokerChange {
  readonly fenced?: boolean;
  readonly inControlledShutdown?: boolean;
  readonly directories?: readonly Uuid[];
  readonly cordonedDirectories?: readonly Uuid[];
}

export function registerBrokerRecord(broker: BrokerRegistration, metadataVersion: number): MetadataRecord {
  return record('RegisterBrokerRecord', registerBrokerRecordVersion(metadataVersion), {
    brokerId: broker.id,
    incarnationId: broker.incarnationId,
    brokerEpoch: broker.epoch,
    endPoints: broker.endPoints as RecordData<'RegisterBrokerRecord'>['endPoints'],
    features: broker.features as RecordData<'RegisterBrokerRecord'>['features'],
    rack: broker.rack,
    fenced: broker.fenced,
    inControlledShutdown: broker.inControlledShutdown,
    isMigratingZkBroker: metadataVersion >= 8 && broker.isMigratingZkBroker,
    logDirs: metadataVersionAllows.directoryAssignment(metadataVersion) ? broker.directories : [],
    cordonedLogDirs: metadataVersionAllows.cordonedLogDirs(metadataVersion)
      ? broker.cordonedDirectories
      : null,
  });
}

/** A controller as the cluster knows it. */
export interface ControllerRegistration {
  readonly id: number;
  readonly incarnationId: Uuid;
  readonly zkMigrationReady: boolean;
  readonly endPoints: readonly MetadataEndpoint[];
  readonly features: readonly FeatureSupport[];
}

export function controllerOf(data: RecordData<'RegisterControllerRecord'>): ControllerRegistration {
  return {
    id: data.controllerId,
    incarnationId: data.incarnationId,
    zkMigrationReady: data.zkMigrationReady,
    endPoints: data.endPoints,
    features: data.features,
  };
}
