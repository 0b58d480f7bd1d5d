import type { Uuid } from '../base/uuid.ts';
import {
  type BrokerRegistration,
  MIGRATING_DIRECTORY,
  UNASSIGNED_DIRECTORY,
} from '../metadata/registrations.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type { ControllerState } from './state.ts';

/**
 * Checks replicas that somebody chose by hand: some, registered, each once, and as many as `replicationFactor` where
 * that is given. Throws INVALID_REPLICA_ASSIGNMENT.
 */
export function checkAssignment(
  state: ControllerState,
  brokerIds: readonly number[],
  replicationFactor: number | undefined,
): void {
  const invalid = (problem: string): never => {
    throw new ProtocolError(
      Errors.INVALID_REPLICA_ASSIGNMENT,
      `The replicas [${brokerIds.join(', ')}] can't be assigned: ${problem}`,
    );
  };
  if (brokerIds.length === 0) invalid('there must be at least one.');
  let previous: number | undefined;
  for (const id of [...brokerIds].sort((a, b) => a - b)) {
    const broker = state.image.brokers.get(id);
    if (broker === undefined) invalid(`there is no broker ${id}.`);
    if (broker !== undefined && !hasOpenDirectory(broker))
      invalid(`all log dirs of broker ${id} are cordoned.`);
    if (id === previous) invalid(`broker ${id} stands there twice.`);
    previous = id;
  }
  if (replicationFactor !== undefined && replicationFactor !== brokerIds.length) {
    invalid(
      `they are ${brokerIds.length}, and the other partitions have ${replicationFactor}; all must have as many.`,
    );
  }
}

/** Whether some log dir of the broker takes new replicas (KIP-1066). */
export function hasOpenDirectory({ directories, cordonedDirectories }: BrokerRegistration): boolean {
  return directories.length === 0 || directories.some((id) => cordonedDirectories?.includes(id) !== true);
}

/** A broker with one log dir has no choice; one with several assigns it itself (KIP-858). */
export function defaultDirectory(state: ControllerState, brokerId: number): Uuid {
  const directories = state.image.brokers.get(brokerId)?.directories ?? [];
  if (directories.length === 0) return MIGRATING_DIRECTORY;
  return directories.length === 1 ? (directories[0] ?? UNASSIGNED_DIRECTORY) : UNASSIGNED_DIRECTORY;
}
