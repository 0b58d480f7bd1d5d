import type { Storage } from '../base/ports.ts';
import type { Uuid } from '../base/uuid.ts';
import {
  BOOTSTRAP_CHECKPOINT,
  BOOTSTRAP_SNAPSHOT,
  CheckpointWriter,
  checkpointBatches,
  checkpointName,
} from './checkpoint.ts';
import type { VoterEndpoint } from './ports.ts';

export const METADATA_LOG_DIR = '__cluster_metadata-0';

export interface FormatOptions {
  /** The metadata log dir, where `meta.properties` lies too. */
  readonly logDir: string;
  readonly nodeId: number;
  readonly directoryId: Uuid;
  /** Where the controller listener can be reached. */
  readonly endpoints: readonly VoterEndpoint[];
  /** The encoded records that the first leader puts into the log. */
  readonly bootstrapValues: readonly Uint8Array[];
  readonly nowMs: number;
}

/**
 * Makes what Apache Kafka's `kafka-storage format --standalone` makes: the voter (this node) in the snapshot at
 * offset 0, the first records in `bootstrap.checkpoint`. Writing `meta.properties` afterwards completes the format;
 * until then it can be done again.
 */
export async function formatStandalone(storage: Storage, options: FormatOptions): Promise<void> {
  const { logDir, nowMs } = options;
  const now = () => nowMs;
  const dir = `${logDir}/${METADATA_LOG_DIR}`;
  storage.makeDir(dir);
  const voters = [{ id: options.nodeId, directoryId: options.directoryId, endpoints: options.endpoints }];
  const first = { epoch: 0, lastContainedLogTimestampMs: 0 };
  await writeAll(
    storage,
    logDir,
    BOOTSTRAP_CHECKPOINT,
    checkpointBatches(first, options.bootstrapValues, now),
  );
  const quorum = { epoch: 0, lastContainedLogTimestampMs: nowMs, quorum: { kraftVersion: 1, voters } };
  await writeAll(storage, dir, checkpointName(BOOTSTRAP_SNAPSHOT), checkpointBatches(quorum, [], now));
}

async function writeAll(
  storage: Storage,
  dir: string,
  name: string,
  batches: Iterable<Buffer>,
): Promise<void> {
  const writer = new CheckpointWriter(storage, dir, name);
  try {
    for (const batch of batches) writer.write(batch);
    await writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}
