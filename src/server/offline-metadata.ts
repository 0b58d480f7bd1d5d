import type { Storage } from '../base/ports.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { MetadataPublisher } from '../metadata/publisher.ts';
import { recordSerde } from '../metadata/records.ts';
import { checkpointName, listCheckpoints, readCheckpoint } from '../raft/checkpoint.ts';
import { readLogBatches } from '../raft/log-reader.ts';
import type { ReplicatedLog } from '../raft/ports.ts';

/**
 * What a node knows of its cluster as it starts: the newest snapshot in `dir` and the log behind it, none of which is
 * changed. Rejects with CheckpointError, LogReadError, MetadataRecordError or StorageError where something of it is
 * damaged.
 */
export async function readMetadata(
  storage: Storage,
  dir: string,
  log: ReplicatedLog,
): Promise<MetadataImage> {
  const publisher = new MetadataPublisher();
  const newest = listCheckpoints(storage, dir).at(-1);
  let from = log.startOffset;
  if (newest !== undefined && newest.endOffset > 0) {
    const checkpoint = readCheckpoint(storage, `${dir}/${checkpointName(newest)}`, recordSerde);
    publisher.onSnapshot(checkpoint?.entries ?? [], newest.endOffset - 1, newest.epoch);
    from = newest.endOffset;
  }
  for await (const batches of readLogBatches(log, from, log.endOffset, recordSerde)) {
    for (const { committed } of batches) if (committed !== undefined) publisher.onCommit(committed, true);
  }
  return publisher.image;
}
