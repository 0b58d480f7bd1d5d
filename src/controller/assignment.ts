import type { Uuid } from '../base/uuid.ts';
import { MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY } from '../metadata/registrations.ts';
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
    throw new ProtocolError(Errors.INVALID_REPLICA_ASSIGNMENT, `The manual partition assignment ${problem}`);
  };
  if (brokerIds.length === 0) invalid('includes an empty replica list.');
  let previous: number | undefined;
  for (const id of [...brokerIds].sort((a, b) => a - b)) {
    const broker = state.image.brokers.get(id);
    if (broker === undefined) invalid(`includes broker ${id}, but no such broker is registered.`);
    if (id === previous) invalid(`includes the broker ${id} more than once.`);
    previous = id;
  }
  if (replicationFactor !== undefined && replicationFactor !== brokerIds.length) {
    invalid(
      `includes a partition with ${brokerIds.length} replica(s), but this is not consistent with previous ` +
        `partitions, which have ${replicationFactor} replica(s).`,
    );
  }
}

/** A broker with one log dir has no choice; one with several assigns it itself (KIP-858). */
export function defaultDirectory(state: ControllerState, brokerId: number): Uuid {
  const directories = state.image.brokers.get(brokerId)?.directories ?? [];
  if (directories.length === 0) return MIGRATING_DIRECTORY;
  return directories.length === 1 ? (directories[0] ?? UNASSIGNED_DIRECTORY) : UNASSIGNED_DIRECTORY;
}
