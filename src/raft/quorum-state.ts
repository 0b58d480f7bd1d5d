import type { Storage } from '../base/ports.ts';
import { isUuid, type Uuid, ZERO_UUID } from '../base/uuid.ts';
import { readSmallFile, replaceFile } from './small-file.ts';

/**
 * The election state that must survive a restart, as JSON in Apache's form: version 1 with the directory of the vote
 * (KIP-853), version 0 where kraft.version is 0.
 */
export interface QuorumState {
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly votedId: number;
  readonly votedDirectoryId: Uuid;
}

export const NO_QUORUM_STATE: QuorumState = {
  leaderId: -1,
  leaderEpoch: 0,
  votedId: -1,
  votedDirectoryId: ZERO_UUID,
};

const NAME = 'quorum-state';
const MAX_BYTES = 64 * 1024;

/** `quorum-state` cannot be trusted; a node that voted must not forget it. */
export class QuorumStateError extends Error {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.name = 'QuorumStateError';
  }
}

/** The state in `dir`; undefined where the node was never part of an election. Throws {@link QuorumStateError}. */
export function readQuorumState(storage: Storage, dir: string): QuorumState | undefined {
  const path = `${dir}/${NAME}`;
  const bytes = readSmallFile(storage, path, MAX_BYTES);
  if (bytes === undefined || bytes.length === 0) return undefined;
  let fields: { readonly votedDirectoryId?: unknown; readonly [name: string]: unknown };
  try {
    fields = JSON.parse(bytes.toString('utf8')) as typeof fields;
  } catch {
    throw new QuorumStateError(path, 'not JSON');
  }
  const whole = (name: string) => {
    const value = fields[name];
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      throw new QuorumStateError(path, `${name} is not a whole number`);
    }
    return value;
  };
  const version = whole('data_version');
  if (version < 0 || version > 1)
    throw new QuorumStateError(path, `data_version ${version} is not known here`);
  const directory = fields.votedDirectoryId;
  return {
    leaderId: whole('leaderId'),
    leaderEpoch: whole('leaderEpoch'),
    votedId: whole('votedId'),
    votedDirectoryId: typeof directory === 'string' && isUuid(directory) ? directory : ZERO_UUID,
  };
}

/** Writes the state durably; a crash leaves the old one or the new one. */
export async function writeQuorumState(
  storage: Storage,
  dir: string,
  state: QuorumState,
  kraftVersion: number,
  voters: readonly number[],
): Promise<void> {
  const { leaderId, leaderEpoch, votedId, votedDirectoryId } = state;
  const json =
    kraftVersion > 0
      ? { leaderId, leaderEpoch, votedId, votedDirectoryId, data_version: 1 }
      : {
          clusterId: '',
          leaderId,
          leaderEpoch,
          votedId,
          appliedOffset: 0,
          currentVoters: voters.map((voterId) => ({ voterId })),
          data_version: 0,
        };
  await replaceFile(storage, dir, NAME, [Buffer.from(JSON.stringify(json))]);
}
