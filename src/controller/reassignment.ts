import type { PartitionRegistration } from '../metadata/registrations.ts';

/** Where a partition is to go: all replicas on the way, those that leave and those that come, and the ISR. */
export interface ReassignmentTarget {
  readonly replicas: readonly number[];
  readonly removing: readonly number[];
  readonly adding: readonly number[];
  readonly isr: readonly number[];
}

export function isReassigned({ addingReplicas, removingReplicas }: PartitionRegistration): boolean {
  return addingReplicas.length + removingReplicas.length > 0;
}

/**
 * The target without what was on the move, if all that were added are in sync and somebody is left (KIP-455); a smaller
 * set of replicas must be in sync as a whole, so that the ISR does not shrink more than asked. Else the target as it is.
 */
export function completedReassignment(target: ReassignmentTarget): ReassignmentTarget {
  const { removing, adding } = target;
  if (removing.length + adding.length === 0) return target;
  const stays = (id: number) => !removing.includes(id);
  const isr = target.isr.filter(stays);
  const replicas = target.replicas.filter(stays);
  const inSync = (ids: readonly number[]) => ids.every((id) => isr.includes(id));
  if (removing.length > 0 && (isr.length === 0 || replicas.length === 0)) return target;
  if (!inSync(adding) || (adding.length < removing.length && !inSync(replicas))) return target;
  return { replicas, removing: [], adding: [], isr };
}
