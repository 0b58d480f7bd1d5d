import type { Uuid } from '../base/uuid.ts';
import { metadataVersionAllows, partitionRecordVersion } from '../metadata/features.ts';
import { type MetadataRecord, type RecordData, record } from '../metadata/records.ts';
import { NO_LEADER, NO_LEADER_CHANGE, type PartitionRegistration } from '../metadata/registrations.ts';
import { completedReassignment, type ReassignmentTarget } from './reassignment.ts';

export interface PartitionChange {
  readonly topicId: Uuid;
  readonly partitionId: number;
  readonly partition: PartitionRegistration;
  readonly targetIsr: readonly number[];
  /** `preferred` also moves the leader back to the first replica; `unclean` may take one outside the ISR. */
  readonly election: 'online' | 'preferred' | 'unclean';
  readonly isAcceptableLeader: (brokerId: number) => boolean;
  /** All replicas, those that leave included; default: as they are. So for `removing` and `adding`. */
  readonly replicas?: readonly number[];
  readonly removing?: readonly number[];
  readonly adding?: readonly number[];
  /** Of all replicas, in their order; default: as they are. */
  readonly directories?: readonly Uuid[];
  /** The directory of a replica that is new on a broker (KIP-858). */
  readonly defaultDirectory: (brokerId: number) => Uuid;
  readonly uncleanShutdownReplicas?: readonly number[];
  readonly metadataVersion: number;
  readonly minIsr: number;
  /** Eligible leader replicas (KIP-966) are in use. */
  readonly elrEnabled: boolean;
}

interface Targets {
  readonly replicas: readonly number[];
  readonly removing: readonly number[];
  readonly adding: readonly number[];
  isr: readonly number[];
  elr: readonly number[];
}

type Change = {
  -readonly [K in keyof RecordData<'PartitionChangeRecord'>]?: RecordData<'PartitionChangeRecord'>[K];
};

const RECOVERING = 1;
const same = <T>(a: readonly T[], b: readonly T[]) =>
  a.length === b.length && a.every((id, i) => id === b[i]);

/**
 * The record that brings a partition's leader, ISR and replicas in line with who is alive and with its reassignment, which
 * it ends where it can; undefined where nothing changes.
 */
export function partitionChangeRecord(change: PartitionChange): MetadataRecord | undefined {
  const { partition, metadataVersion, elrEnabled } = change;
  const out: Change = {};
  const target = targetsOf(change);
  elect(change, target, out);
  // A replica less: the others must notice (KIP-455).
  if (out.leader === undefined && !partition.replicas.every((id) => target.replicas.includes(id))) {
    out.leader = partition.leader;
  }
  const elr = out.isr !== undefined || !elrEnabled ? [] : target.elr;
  if (!same(elr, partition.elr)) out.eligibleLeaderReplicas = elr;
  // Without eligible leader replicas the last member stays in the ISR, so that it can come back.
  if (out.isr === undefined && (target.isr.length > 0 || elrEnabled) && !same(target.isr, partition.isr)) {
    out.isr = target.isr;
  }
  if (
    metadataVersionAllows.leaderEpochBumpOnIsrShrink(metadataVersion) &&
    out.leader === undefined &&
    out.isr != null &&
    !partition.isr.every((id) => out.isr?.includes(id))
  ) {
    out.leader = partition.leader;
  }
  if (elrEnabled) keepLastKnownLeader(partition, out);
  changeReplicas(change, target, out);
  if (Object.keys(out).length === 0) return undefined;
  return record('PartitionChangeRecord', partitionRecordVersion(metadataVersion), {
    partitionId: change.partitionId,
    topicId: change.topicId,
    leader: NO_LEADER_CHANGE,
    ...out,
  });
}

function targetsOf(change: PartitionChange): Targets {
  const { partition, elrEnabled, minIsr } = change;
  const target: ReassignmentTarget = completedReassignment({
    replicas: change.replicas ?? partition.replicas,
    removing: change.removing ?? partition.removingReplicas,
    adding: change.adding ?? partition.addingReplicas,
    isr: change.targetIsr,
  });
  if (!elrEnabled || target.isr.length >= minIsr) {
    return { ...target, elr: elrEnabled ? [] : partition.elr };
  }
  const gone = change.uncleanShutdownReplicas ?? [];
  const candidates = new Set([...partition.elr, ...partition.isr]);
  return {
    ...target,
    elr: [...candidates].filter((id) => !target.isr.includes(id) && !gone.includes(id)),
  };
}

function changeReplicas(change: PartitionChange, target: Targets, out: Change): void {
  const { partition, metadataVersion, defaultDirectory } = change;
  if (!same(target.replicas, partition.replicas)) {
    out.replicas = target.replicas;
    if (metadataVersionAllows.directoryAssignment(metadataVersion)) {
      const directories = target.replicas.map(
        (id) => partition.directories[partition.replicas.indexOf(id)] ?? defaultDirectory(id),
      );
      if (!same(directories, partition.directories)) out.directories = directories;
    }
  }
  if (change.directories !== undefined && !same(change.directories, partition.directories)) {
    out.directories = change.directories;
  }
  if (!same(target.removing, partition.removingReplicas)) out.removingReplicas = target.removing;
  if (!same(target.adding, partition.addingReplicas)) out.addingReplicas = target.adding;
}

function elect(change: PartitionChange, target: Targets, out: Change): void {
  const { partition } = change;
  const { node, unclean } = newLeader(change, target);
  if (node === partition.leader) return;
  if (target.elr.includes(node)) {
    target.isr = [node];
    target.elr = target.elr.filter((id) => id !== node);
  }
  out.leader = node;
  if (!unclean) return;
  out.isr = [node];
  if (partition.leaderRecoveryState !== RECOVERING) out.leaderRecoveryState = RECOVERING;
}

function newLeader(change: PartitionChange, target: Targets): { node: number; unclean: boolean } {
  const { partition, isAcceptableLeader } = change;
  const isValid = (id: number) =>
    (target.isr.includes(id) || (target.isr.length === 0 && target.elr.includes(id))) &&
    isAcceptableLeader(id);
  const preferred = target.replicas[0];
  if (change.election === 'preferred' && preferred !== undefined && isValid(preferred)) {
    return { node: preferred, unclean: false };
  }
  if (isValid(partition.leader)) return { node: partition.leader, unclean: false };
  const clean = target.replicas.find(isValid);
  if (clean !== undefined) return { node: clean, unclean: false };
  const lastKnown = partition.lastKnownElr[0];
  if (
    change.elrEnabled &&
    target.isr.length === 0 &&
    target.elr.length === 0 &&
    partition.lastKnownElr.length === 1 &&
    lastKnown !== undefined &&
    isAcceptableLeader(lastKnown)
  ) {
    return { node: lastKnown, unclean: true };
  }
  if (change.election === 'unclean') {
    const any = target.replicas.find((id) => isAcceptableLeader(id));
    if (any !== undefined) return { node: any, unclean: true };
  }
  return { node: NO_LEADER, unclean: false };
}

function keepLastKnownLeader(partition: PartitionRegistration, out: Change): void {
  if (out.leader === NO_LEADER && partition.lastKnownElr.length === 0) out.lastKnownElr = [partition.leader];
  else if (out.leader !== undefined && out.leader >= 0 && partition.lastKnownElr.length > 0)
    out.lastKnownElr = [];
}
